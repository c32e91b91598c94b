"""Compiled libraries run without the compiler, on the threads asked for, from mapped weights."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tvm_ffi

from cnnir.backends.tvm.runner import (
    ALIGNMENT,
    Machine,
    aligned_empty,
    as_array,
    as_tensor,
    is_ready,
    to_device,
)

SHAPES = ((4, 32), (32, 16), (16,))  # of x, w and b


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library computing `(relu(x w + b), x w)`."""
    import tvm
    from tvm import relax

    builder = relax.BlockBuilder()
    x, w, b = (relax.Var(name, relax.TensorType(shape, "float32")) for name, shape in zip("xwb", SHAPES, strict=True))
    with builder.function("main", [x, w, b]):
        with builder.dataflow():
            product = builder.emit(relax.op.matmul(x, w))
            shifted = builder.emit(relax.op.add(product, b))
            result = builder.emit_output((builder.emit(relax.op.nn.relu(shifted)), product))
        builder.emit_func_output(result)
    path = tmp_path_factory.mktemp("library") / "toy.so"
    relax.build(builder.get(), tvm.target.Target({"kind": "llvm"})).export_library(str(path))
    return path


@pytest.fixture(scope="module")
def arrays() -> list[np.ndarray]:
    random = np.random.default_rng(7)
    return [random.standard_normal(shape).astype(np.float32) for shape in SHAPES]


def check(results: list[np.ndarray], arrays: list[np.ndarray]) -> None:
    x, w, b = arrays
    np.testing.assert_allclose(results[1], x @ w, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(results[0], np.maximum(x @ w + b, 0), rtol=1e-5, atol=1e-5)


def test_results_are_right_and_outlive_the_machine(library, arrays):
    with Machine(library, threads=2) as machine:
        results = machine.run([as_tensor(array) for array in arrays])
    check(results, arrays)
    results[0][0, 0] = 1  # and they are the caller's to change


@pytest.mark.parametrize("later", ["", "import tvm"])
def test_running_imports_no_compiler(library, later):
    script = f"""
import sys
from pathlib import Path
import numpy as np
from cnnir.backends.tvm.runner import Machine, as_tensor
machine = Machine(Path(sys.argv[1]), threads=2)
machine.run([as_tensor(np.ones(shape, np.float32)) for shape in {SHAPES}])
assert "tvm" not in sys.modules
{later}
"""
    subprocess.run([sys.executable, "-c", script, str(library)], check=True, timeout=120)


def test_threads_are_honoured_side_by_side(library, arrays, monkeypatch):
    monkeypatch.setenv("TVM_NUM_THREADS", "5")
    count = tvm_ffi.get_global_func("runtime.NumThreads")
    with Machine(library, threads=1) as one, Machine(library, threads=2) as two:
        for machine, asked in ((one, 1), (two, 2), (one, 1)):
            check(machine.run([as_tensor(array) for array in arrays]), arrays)
            assert machine.threads == machine._runner.submit(count).result()
            assert machine.threads == min(asked, os.cpu_count() or asked)
    assert os.environ["TVM_NUM_THREADS"] == "5"


def test_no_more_threads_than_cores(library, arrays):
    with Machine(library, threads=4096) as machine:
        assert 1 <= machine.threads <= (os.cpu_count() or 4096)
        check(machine.run([as_tensor(array) for array in arrays]), arrays)


def test_the_variable_stays_at_the_largest_count(library, monkeypatch):
    """TVM reads it at every parallel launch: gone, or at 1, it would make every kernel serial."""
    monkeypatch.delenv("TVM_NUM_THREADS", raising=False)
    most = min(2, os.cpu_count() or 1)
    for threads in (1, 2, 1):
        Machine(library, threads).close()
    assert os.environ["TVM_NUM_THREADS"] == str(most)


def test_mapped_weights_are_not_copied(library, arrays, tmp_path):
    packed, offsets = bytearray(), []
    for array in arrays[1:]:
        packed += bytes(-len(packed) % ALIGNMENT)
        offsets.append(len(packed))
        packed += array.tobytes()
    path = tmp_path / "weights.bin"
    path.write_bytes(packed)

    mapped = np.memmap(path, np.uint8, mode="c")
    views = [
        mapped[offset : offset + array.nbytes].view(array.dtype).reshape(array.shape)
        for offset, array in zip(offsets, arrays[1:], strict=True)
    ]
    tensors = [as_tensor(view) for view in views]
    assert [t.data_ptr() for t in tensors] == [view.ctypes.data for view in views]
    with Machine(library, threads=2) as machine:
        check(machine.run([as_tensor(arrays[0]), *tensors]), arrays)


def unready() -> dict[str, np.ndarray]:
    """Arrays that no kernel may read in place."""
    shifted = aligned_empty((65,), np.float32)[1:]
    frozen = aligned_empty((64,), np.float32)
    shifted[:] = frozen[:] = np.arange(64)
    frozen.flags.writeable = False
    swapped = np.arange(64).astype(">f4")
    return {"misaligned": shifted, "read-only": frozen, "byte order": swapped}


@pytest.mark.parametrize("why", ["misaligned", "read-only", "byte order"])
def test_what_a_kernel_cannot_read_is_copied(why):
    array = unready()[why]
    assert not is_ready(array)
    tensor = as_tensor(array)
    assert tensor.data_ptr() % ALIGNMENT == 0
    assert tensor.data_ptr() != array.ctypes.data
    np.testing.assert_array_equal(as_array(tensor), array)


@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.bool_])
def test_every_shape_and_type_passes_through(shape, dtype):
    array = aligned_empty(shape, dtype)
    array[...] = 1
    assert array.size == 0 or array.ctypes.data % ALIGNMENT == 0
    for tensor in (as_tensor(array), to_device(array, tvm_ffi.device("cpu", 0))):
        np.testing.assert_array_equal(as_array(tensor), array)
        assert as_array(tensor).shape == shape


def test_callers_on_many_threads_queue(library, arrays):
    with Machine(library, threads=2) as machine, ThreadPoolExecutor(4) as pool:
        tensors = [as_tensor(array) for array in arrays]
        for results in pool.map(machine.run, [tensors] * 32):
            check(results, arrays)


def test_a_wrong_argument_is_an_error_and_not_the_end(library, arrays):
    tensors = [as_tensor(array) for array in arrays]
    with Machine(library, threads=1) as machine:
        with pytest.raises((RuntimeError, ValueError, TypeError)):
            machine.run([tensors[1], tensors[1], tensors[2]])
        with pytest.raises((RuntimeError, ValueError, TypeError)):
            machine.run(tensors[:2])
        check(machine.run(tensors), arrays)


def test_bad_requests(library, tmp_path):
    with pytest.raises(FileNotFoundError):
        Machine(tmp_path / "missing.so", threads=1)
    with pytest.raises(ValueError, match="threads"):
        Machine(library, threads=0)
