"""CUDA source becomes machine code with strict arithmetic, without a GPU, driver or `nvcc`."""

import os
import pickle
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tvm_ffi

from cnnir.backends.tvm import cuda_toolchain
from cnnir.backends.tvm.cuda_build import (
    CudaBuild,
    KernelMissing,
    build_cuda,
    serve_kernels,
    source_key,
)
from cnnir.backends.tvm.cuda_toolchain import (
    ArchUnsupported,
    Nvcc,
    Nvrtc,
    Toolchain,
    ToolchainFailed,
    ToolchainMissing,
    find_toolchain,
    require_toolchain,
)

ARITHMETIC = """
extern "C" __global__ void arithmetic(float* out, const float* a, const float* b, const float* c) {
  int i = threadIdx.x;
  out[i] = a[i] * b[i] + c[i];
  out[i + 32] = a[i] / b[i];
  out[i + 64] = sqrtf(c[i]);
}
"""

HEADERS = """
#include <cuda_fp16.h>
#include <cuda_bf16.h>
#include <math_constants.h>
#include <cuda/std/cstdint>
extern "C" __global__ void headers(half* out, cuda::std::uint32_t n) {
  if (threadIdx.x < n) out[threadIdx.x] = __float2half(CUDART_INF_F) + hexp(out[threadIdx.x]);
}
"""


@pytest.fixture(params=[Nvrtc, Nvcc], ids=["nvrtc", "nvcc"])
def toolchain(request: pytest.FixtureRequest) -> Toolchain:
    found = request.param.find()
    if found is None:
        pytest.skip(f"{request.param.name} is not installed")
    return found


def machine_and_arch(cubin: bytes) -> tuple[int, int]:
    """An ELF file's machine number, and the architecture that a cubin's header names."""
    assert cubin[:4] == b"\x7fELF"
    version = cubin[8]
    (machine,) = struct.unpack_from("<H", cubin, 18)
    (flags,) = struct.unpack_from("<I", cubin, 48)
    return machine, flags >> 8 & 0xFF if version >= 8 else flags & 0xFF


@pytest.mark.parametrize("arch", ["sm_80", "sm_90", "sm_90a"])
def test_the_machine_code_is_for_the_arch(toolchain, arch):
    compiled = toolchain.compile(ARITHMETIC, arch)
    assert machine_and_arch(compiled.cubin) == (190, int(re.sub(r"\D", "", arch)))
    assert f".target {arch}" in compiled.ptx
    assert "\0" not in compiled.ptx


def test_arithmetic_is_strict(toolchain):
    ptx = toolchain.compile(ARITHMETIC, "sm_80").ptx
    for instruction in ("mul.rn.f32", "add.rn.f32", "div.rn.f32", "sqrt.rn.f32"):
        assert instruction in ptx
    assert not re.search(r"\bfma\.|\.approx|\.ftz", ptx)


def test_headers_are_found(toolchain):
    assert toolchain.compile(HEADERS, "sm_80").cubin


@pytest.mark.parametrize("arch", ["sm_9999", "foo", "", "sm_20", "sm_80a", "sm_80 -lineinfo"])
def test_a_bad_arch_is_refused_with_the_good_ones(toolchain, arch):
    with pytest.raises(ArchUnsupported) as caught:
        toolchain.compile(ARITHMETIC, arch)
    assert caught.value.supported == toolchain.supported_archs()
    assert "sm_80" in str(caught.value)
    assert "sm_90" in str(caught.value)


def test_a_rejected_source_shows_the_log(toolchain):
    with pytest.raises(ToolchainFailed) as caught:
        toolchain.compile("__global__ void broken() { undeclared = 1; }", "sm_80")
    assert "undeclared" in caught.value.log


def test_pip_packages_suffice():
    """With nothing on PATH: no nvcc, no host compiler."""
    if Nvrtc.find() is None:
        pytest.skip("NVRTC is not installed")
    script = (
        "import sys\n"
        "from cnnir.backends.tvm.cuda_toolchain import find_toolchain\n"
        "chain = find_toolchain()\n"
        "assert chain.name == 'NVRTC', chain\n"
        "assert chain.compile(sys.stdin.read(), 'sm_90').cubin\n"
        "assert 'tvm' not in sys.modules\n"
    )
    hidden = {key: os.environ[key] for key in os.environ if not key.startswith("CUDA_")}
    subprocess.run(
        [sys.executable, "-c", script],
        input=HEADERS,
        text=True,
        check=True,
        timeout=120,
        env={**hidden, "PATH": ""},
    )


def test_without_a_toolchain_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(cuda_toolchain.Nvrtc, "find", lambda: None)
    monkeypatch.setattr(cuda_toolchain.Nvcc, "find", lambda: None)
    find_toolchain.cache_clear()
    try:
        assert find_toolchain() is None
        with pytest.raises(ToolchainMissing, match=r"pip install 'cnnir\[cuda\]'"):
            require_toolchain()
    finally:
        find_toolchain.cache_clear()


def test_an_nvcc_that_does_not_run_is_passed_over(monkeypatch, tmp_path):
    broken = tmp_path / "bin" / "nvcc"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    monkeypatch.delenv("CUDA_PATH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Nvcc.find() is None


@pytest.fixture(scope="module")
def network() -> CudaBuild:
    """Convolution, bias and relu, LRN, two pools, concat, dense, activations and softmax."""
    from tvm import relax, te, topi

    def tensor(name, *shape):
        return relax.Var(name, relax.TensorType(shape, "float32"))

    def conv(x, w):
        padded = topi.nn.pad(x, [0, 0, 1, 1])
        k, i, j = (te.reduce_axis((0, n), name) for n, name in zip((64, 3, 3), "kij", strict=True))
        return te.compute(
            (1, 64, 56, 56),
            lambda n, f, y, z: te.sum(padded[n, k, y + i, z + j] * w[f, k, i, j], axis=[k, i, j]),
            name="conv",
        )

    def bias_relu(x, b):
        return te.compute(x.shape, lambda n, c, y, z: te.max(x[n, c, y, z] + b[c], 0.0))

    def lrn(x):
        return topi.nn.lrn(x, 5, 1, 1e-4, 0.75, 2.0)

    def maxpool(x):
        i, j = te.reduce_axis((0, 2), "i"), te.reduce_axis((0, 2), "j")
        return te.compute((1, 64, 28, 28), lambda n, c, y, z: te.max(x[n, c, 2 * y + i, 2 * z + j], axis=[i, j]))

    def concat(x, y):
        return topi.concatenate((x, y), axis=1)

    def dense(x, w):
        k = te.reduce_axis((0, 128 * 28 * 28), "k")
        return te.compute((1, 10), lambda n, f: te.sum(x[n, k // 784, k // 28 % 28, k % 28] * w[f, k], axis=k))

    def activations(x):
        return te.compute(x.shape, lambda *at: te.tanh(te.erf(te.sigmoid(x(*at)))))

    def softmax(x):
        return topi.nn.softmax(x, axis=1)

    builder = relax.BlockBuilder()
    inputs = [
        tensor("x", 1, 64, 56, 56),
        tensor("w", 64, 64, 3, 3),
        tensor("b", 64),
        tensor("fc", 10, 128 * 28 * 28),
    ]
    x, w, b, fc = inputs
    with builder.function("main", inputs):
        with builder.dataflow():
            y = builder.emit_te(bias_relu, builder.emit_te(conv, x, w), b)
            y = builder.emit_te(lrn, y)
            pooled = builder.emit(relax.op.nn.max_pool2d(y, (3, 3), (2, 2), (1, 1)))
            y = builder.emit_te(concat, builder.emit_te(maxpool, y), pooled)
            y = builder.emit_te(activations, builder.emit_te(dense, y, fc))
            result = builder.emit_output(builder.emit_te(softmax, y))
        builder.emit_func_output(result)
    return build_cuda(builder.get(), "sm_90")


def test_a_network_is_scheduled_and_compiles(toolchain, network):
    for arch in ("sm_80", "sm_90"):
        compiled = toolchain.compile(network.source, arch)
        assert len(re.findall(r"\.visible \.entry", compiled.ptx)) >= 6
        # `expf` and its like are made of fused multiplies and approximations; sums are not.
        assert "add.rn.f32" in compiled.ptx
        assert "add.ftz" not in compiled.ptx
        assert "mul.ftz" not in compiled.ptx


def test_generated_source_uses_accurate_functions(network):
    for function in ("expf", "tanhf", "erff", "powf"):
        assert re.search(rf"\b{function}\(", network.source)
    fast = r"__(exp|tan|log|pow|sin|cos)\w*f\(|__fdividef|__frcp|wmma|tf32"
    assert not re.search(fast, network.source)


def test_building_leaves_the_environment_alone(network):
    assert "TVM_COMPILE_FORCE_FALLBACK" not in os.environ
    assert network.key == source_key(network.source)


def test_a_kernel_name_must_be_an_identifier():
    from tvm import relax, te

    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((4,), "float32"))
    with builder.function("main", [x]):
        y = builder.emit_te(lambda x: te.compute(x.shape, lambda i: x[i] + 1.0), x)
        builder.emit_func_output(y)
    with pytest.raises(ValueError, match="<lambda>"):
        build_cuda(builder.get(), "sm_90")


def test_machine_code_is_served_only_while_asked_for():
    def current() -> Any:
        return tvm_ffi.get_global_func("tvm_callback_cuda_compile", allow_missing=True)

    before = current() is None
    with serve_kernels({source_key("one"): b"\x7fELF...", source_key("two"): b"//ptx"}):
        assert current()("one") == b"\x7fELF..."
        assert current()("two") == b"//ptx\0"  # the driver reads PTX up to a zero
        with pytest.raises(KernelMissing):
            current()("three")
    assert (current() is None) == before


def test_a_package_loads_without_a_compiler(network, tmp_path):
    """Up to the first launch, under a driver with no device.  Needs a C compiler to fake one."""
    compiler = shutil.which("cc")
    if compiler is None or find_toolchain() is None:
        pytest.skip("needs a C compiler and a CUDA tool-chain")
    functions = (
        "cuDeviceGetName cuFuncSetAttribute cuGetErrorName cuGetErrorString cuLaunchKernelEx "
        "cuModuleGetFunction cuModuleLoadData cuModuleUnload cuTensorMapEncodeTiled"
    )
    source = tmp_path / "driver.c"
    source.write_text("".join(f"int {name}(void) {{ return 100; }}\n" for name in functions.split()))
    driver = tmp_path / "libcuda.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", driver, source], check=True)
    network.executable.export_library(str(tmp_path / "network.so"))
    cubin = require_toolchain().compile(network.source, "sm_90").cubin
    (tmp_path / "kernels.pickle").write_bytes(pickle.dumps({network.key: cubin}))
    script = """
import pickle, sys
from pathlib import Path
import tvm_ffi
from cnnir.backends.tvm.cuda_build import (
    KernelMissing, RuntimeMissing, gpu_arch, load_gpu_runtime, serve_kernels)
from cnnir.backends.tvm.cuda_program import CUBIN, SOURCE, open_machine
from cnnir.diagnostics import CnnirError
try:
    load_gpu_runtime()
except RuntimeMissing:
    sys.exit(77)
assert gpu_arch() is None
folder = Path(sys.argv[1])
try:
    open_machine(folder / "network.so", 1, {SOURCE: b"", CUBIN: b""})
    raise AssertionError("opened without a GPU")
except CnnirError as error:
    assert [d.code for d in error.diagnostics] == ["C0506"]
try:
    with serve_kernels({}):
        tvm_ffi.load_module(folder / "network.so")
    raise AssertionError("loaded without machine code")
except KernelMissing:
    pass
with serve_kernels(pickle.loads((folder / "kernels.pickle").read_bytes())):
    library = tvm_ffi.load_module(folder / "network.so")
assert library.implements_function("vm_load_executable", query_imports=True)
assert "tvm" not in sys.modules
import tvm
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={**os.environ, "LD_LIBRARY_PATH": str(Path(driver).parent)},
        check=False,
        timeout=120,
    )
    if done.returncode == 77:
        pytest.skip("CUDA's runtime library is not installed")
    assert done.returncode == 0
