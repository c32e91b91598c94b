"""What an ONNX model becomes: the same numbers as ONNX's own evaluator gives, under the model's own names."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import cnnir
from cnnir.cli import run_command
from cnnir.diagnostics import CnnirError
from cnnir.frontends import onnx
from cnnir.ir.graph import Graph
from cnnir.ir.verify import verify
from cnnir.ops.arithmetic import BatchNorm, Bias
from cnnir.ops.constant import Constant
from cnnir.ops.convolution import Conv, Dense
from cnnir.ops.opaque import Opaque
from cnnir.ops.piecewise import Clip, Relu
from cnnir.testing import light

from .models import X, external, model, node, saved

RNG = np.random.default_rng(5)
DATA = RNG.standard_normal((1, 3, 8, 8)).astype("f")
KERNEL, SHIFT = RNG.standard_normal((4, 3, 3, 3)).astype("f"), RNG.standard_normal(4).astype("f")


def read(content: ModelProto, **shapes: tuple[int, ...]) -> Graph:
    graph = onnx.parse(content.SerializeToString(), shapes=shapes)
    verify(graph)
    return graph


def same(content: ModelProto, data: np.ndarray[Any, Any] = DATA, **shapes: tuple[int, ...]) -> Graph:
    """The network of a model, which answers as ONNX's evaluator does."""
    graph = read(content, **shapes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator: Any = ReferenceEvaluator(content)
        expected = evaluator.run(None, {"x": data})
    found = list(cnnir.evaluate(graph, {"x": data}).values())
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-6)
    return graph


def ops(graph: Graph) -> list[str]:
    return [layer.op.name for layer in graph.layers()][1:]


def test_names_are_those_of_the_model_and_places_are_its_nodes(tmp_path: Path) -> None:
    nodes = [node("Conv", "x k b", "conv_out", name="first", pads=[1, 1, 1, 1]), node("Relu", "conv_out", "y", name="second")]
    path = saved(tmp_path, model(*nodes, k=KERNEL, b=SHIFT))
    graph = cnnir.load(path)
    assert [layer.name for layer in graph.layers()] == ["x", "conv_out", "y"]
    assert dict(graph["conv_out"].weights) == {"weight": "k", "bias": "b"}
    span = graph["conv_out"].origin.span
    assert span is not None and span.text == "conv_out = Conv(x, k, b)  # first" and span.source.name == str(path)
    assert list(graph.inputs) == ["x"] and list(graph.outputs) == ["y"]
    same(model(*nodes, k=KERNEL, b=SHIFT))


def test_what_comes_from_tensorflow_keeps_its_transposes() -> None:
    """NHWC at both ends, NCHW between. (ONNX's own evaluator is wrong about SAME_LOWER pools, so this asks onnxruntime.)"""
    runtime = pytest.importorskip("onnxruntime")
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 8, 3])
    nodes = [
        node("Transpose", "x", "nchw", perm=[0, 3, 1, 2]),
        node("Conv", "nchw k", "c", auto_pad="SAME_UPPER", strides=[2, 2]),
        node("Clip", "c low high", "r6"),
        node("MaxPool", "r6", "p", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER"),
        node("Transpose", "p", "y", perm=[0, 2, 3, 1]),
    ]
    weights = {"k": KERNEL, "low": np.float32(0), "high": np.float32(6)}
    content, data = model(*nodes, inputs=[image], **weights), np.ascontiguousarray(DATA.transpose(0, 2, 3, 1))
    graph = read(content)
    expected = runtime.InferenceSession(content.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": data})[0]
    np.testing.assert_allclose(cnnir.evaluate(graph, {"x": data})["y"], expected, rtol=2e-5, atol=2e-6)
    assert ops(graph) == ["transpose", "conv", "clip", "maxpool", "transpose"]
    conv, pool = graph["c"].op, graph["p"].op
    assert getattr(conv, "pad", ()) == (0, 0, 1, 1) and getattr(pool, "pad", ()) == (1, 1, 0, 0)  # the odd one behind, and in front
    assert graph.outputs["y"].shape == (1, 2, 2, 4)


OLD_AND_NEW = {
    "clip": (lambda: model(node("Clip", "x", "y", min=-0.5, max=0.5), opset=7), lambda: model(node("Clip", "x a b", "y"), opset=13, a=np.float32(-0.5), b=np.float32(0.5))),
    "squeeze": (lambda: model(node("Squeeze", "x", "y", axes=[0]), opset=7), lambda: model(node("Squeeze", "x a", "y"), opset=13, a=np.array([0]))),
    "unsqueeze": (lambda: model(node("Unsqueeze", "x", "y", axes=[0, 5]), opset=7), lambda: model(node("Unsqueeze", "x a", "y"), opset=13, a=np.array([0, 5]))),
    "slice": (lambda: model(node("Slice", "x", "y", starts=[1, -3], ends=[3, 99], axes=[1, 2]), opset=7), lambda: model(node("Slice", "x a b c", "y"), opset=13, a=np.array([1, -3]), b=np.array([3, 99]), c=np.array([1, 2]))),
    "pad": (lambda: model(node("Pad", "x", "y", pads=[0, 0, 1, 2, 0, 0, 3, 0], value=2.0), opset=7), lambda: model(node("Pad", "x a b", "y"), opset=13, a=np.array([0, 0, 1, 2, 0, 0, 3, 0]), b=np.float32(2))),
    "sum": (lambda: model(node("ReduceSum", "x", "y", axes=[2, 3], keepdims=0), opset=7), lambda: model(node("ReduceSum", "x a", "y", keepdims=0), opset=13, a=np.array([2, 3]))),
    "mean": (lambda: model(node("ReduceMean", "x", "y", axes=[1]), opset=13), lambda: model(node("ReduceMean", "x a", "y"), opset=18, a=np.array([1]))),
    "split": (lambda: model(node("Split", "x", "y z", axis=1, split=[1, 2]), outputs=("y", "z"), opset=7), lambda: model(node("Split", "x a", "y z", axis=1), outputs=("y", "z"), opset=13, a=np.array([1, 2]))),
    "upsample": (lambda: model(node("Upsample", "x", "y", scales=[1.0, 1, 2, 2]), opset=7), lambda: model(node("Resize", "x - s", "y", coordinate_transformation_mode="asymmetric", nearest_mode="floor"), opset=13, s=np.array([1, 1, 2, 2], "f"))),
    "dropout": (lambda: model(node("Dropout", "x", "y", ratio=0.25), opset=7), lambda: model(node("Dropout", "x r", "y"), opset=13, r=np.float32(0.25))),
}  # fmt: skip


@pytest.mark.parametrize("what", OLD_AND_NEW)
def test_attributes_that_became_inputs_mean_the_same(what: str) -> None:
    old, new = (read(make()) for make in OLD_AND_NEW[what])
    assert old == new
    if what not in ("upsample", "dropout"):  # of which ONNX's evaluator knows the new form only, or another
        same(OLD_AND_NEW[what][1]())


def test_softmax_was_over_all_axes_from_one_on() -> None:
    old = read(model(node("Softmax", "x", "y", axis=1), opset=11))
    powers = np.exp(DATA.astype(np.float64))
    np.testing.assert_allclose(cnnir.evaluate(old, {"x": DATA})["y"], powers / powers.sum(), rtol=1e-5)  # whose evaluator has one meaning
    new = same(model(node("Softmax", "x", "y", axis=1), opset=13))
    assert ops(old) == ["reshape", "softmax", "reshape"] and ops(new) == ["softmax"]


def test_shape_arithmetic_is_gone_once_sizes_are_known() -> None:
    """As PyTorch writes `x.view(x.size(0), -1)` and an upsampling by sizes."""
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, "H", "W"])
    nodes = [
        node("Shape", "x", "s"), node("Gather", "s zero", "n", axis=0), node("Unsqueeze", "n axes", "n1"),
        node("Concat", "n1 rest", "to", axis=0), node("Reshape", "x to", "flat"),
        node("Slice", "s two four", "hw"), node("Mul", "hw twice", "big"), node("Cast", "big", "wide", to=TensorProto.INT64),
        node("Slice", "s none two", "nc"), node("Concat", "nc wide", "sizes", axis=0), node("Resize", "x - - sizes", "up"),
    ]  # fmt: skip
    constants: dict[str, Any] = {"zero": 0, "axes": [0], "rest": [-1], "two": [2], "four": [4], "none": [0], "twice": [2, 2]}
    content = model(*nodes, inputs=[image], outputs=("flat", "up"), **constants)
    graph = same(content, x=(1, 3, 8, 8))
    assert ops(graph) == ["reshape", "resize"]
    with pytest.raises(CnnirError) as caught:
        read(content)
    (found,) = caught.value.diagnostics
    assert found.code == "C0222" and "--shape x=1,3,224,224" in str(found.help)
    for wrong in ({"x": (1, 3, 8)}, {"x": (1, 4, 8, 8)}, {"z": (1, 3, 8, 8), "x": (1, 3, 8, 8)}):
        with pytest.raises(CnnirError) as caught:
            read(content, **wrong)
        assert caught.value.diagnostics[0].code == "C0223"


def test_a_size_of_which_nothing_is_known_is_another_every_time() -> None:
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["?", 3, "?", "?"])
    same(model(node("Relu", "x", "y"), inputs=[image]), DATA[:, :, :4], x=(1, 3, 4, 8))


def test_constants_become_what_the_layer_says() -> None:
    """Numbers and one number a channel are part of the layer, so that its facts are known; others are layers."""
    rows = RNG.standard_normal((8, 8)).astype("f")
    nodes = [
        node("Mul", "x half", "a"), node("Add", "a channel", "b"), node("BatchNormalization", "b s s m v", "c"),
        node("Sub", "c rows", "d"), node("Sub", "half d", "y"),
    ]  # fmt: skip
    s, v = np.abs(RNG.standard_normal((2, 3)).astype("f"))
    weights = {"half": np.float32(0.5), "channel": SHIFT[:3].reshape(3, 1, 1), "rows": rows, "s": s, "m": s, "v": v}
    graph = same(model(*nodes, **weights))
    assert isinstance(graph["b"].op, Bias) and isinstance(graph["c"].op, BatchNorm)
    assert [layer.name for layer in graph.layers() if isinstance(layer.op, Constant)] == ["rows"]


def test_products_with_known_matrices_are_dense_layers() -> None:
    w, b = RNG.standard_normal((192, 5)).astype("f"), RNG.standard_normal(5).astype("f")
    nodes = [
        node("Flatten", "x", "f"),
        node("Gemm", "f w b", "g", alpha=0.5, beta=2.0),
        node("MatMul", "f w", "m"),
        node("Add", "g m", "y"),
    ]
    graph = same(model(*nodes, w=w, b=b))
    assert [isinstance(graph[name].op, Dense) for name in ("g", "m")] == [True, True]


def test_quotients_of_long_numbers_are_exact() -> None:
    numbers = [2**62 + 1, -(2**62) - 1, 7, -7, 2**53 + 1, 2**63 - 1, -1, 0]
    data, by = np.array(numbers), np.array([3, 3, -2, 2, 1, 10, 5, 7])
    whole = helper.make_tensor_value_info("x", TensorProto.INT64, [8])
    graph = read(model(node("Div", "x w", "y"), inputs=[whole], w=by))
    found = cnnir.evaluate(graph, {"x": data})["y"]
    assert found.tolist() == [int(abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1) for a, b in zip(numbers, by.tolist(), strict=True)]
    assert np.array_equal(cnnir.compile(graph)({"x": data})["y"], found)


def test_a_branch_whose_condition_is_known_is_taken() -> None:
    branches = {
        name: helper.make_graph([node(op, "x", f"{op}_out")], name, [], [helper.make_empty_tensor_value_info(f"{op}_out")])
        for name, op in (("then_branch", "Relu"), ("else_branch", "Abs"))
    }
    for condition, op in ((True, "relu"), (False, "abs")):
        assert ops(same(model(node("If", "c", "y", **branches), c=np.array(condition)))) == [op]


def test_a_weight_of_a_branch_is_its_own(tmp_path: Path) -> None:
    """Also where a large one of the model, which stays in the file, has its name."""
    large, small = np.ones((64, 64), np.float32), numpy_helper.from_array(np.full((1, 3, 8, 8), 2, np.float32), "w")
    taken, other = (
        helper.make_graph([node(op, "x w", "t")], "g", [], [helper.make_empty_tensor_value_info("t")], [small]) for op in ("Mul", "Add")
    )
    nodes = [node("If", "c", "y", then_branch=taken, else_branch=other), node("Relu", "w", "z")]
    graph = cnnir.load(saved(tmp_path, model(*nodes, outputs=("y", "z"), c=np.array(True), w=large)))
    found = cnnir.evaluate(graph, {"x": DATA})
    assert np.array_equal(found["y"], 2 * DATA) and np.array_equal(found["z"], large)


def test_functions_of_the_model_are_written_out() -> None:
    content = model(helper.make_node("Twice", ["x"], ["y"], domain="own"))
    content.opset_import.append(helper.make_opsetid("own", 1))
    body = [node("Relu", "a", "t"), node("Neg", "t", "b")]
    content.functions.append(helper.make_function("own", "Twice", ["a"], ["b"], body, [helper.make_opsetid("", 17)]))
    assert ops(same(content)) == ["relu", "neg"]


def test_weights_stay_in_the_file_until_they_are_asked_for(tmp_path: Path) -> None:
    """In the model at odd offsets, and in external data at any that it names."""
    large = RNG.standard_normal((64, 192)).astype("f")
    nodes = [node("Flatten", "x", "f"), node("Gemm", "f w", "g", transB=1), node("Gemm", "f v", "h", transB=1), node("Add", "g h", "y")]
    (tmp_path / "v.bin").write_bytes(bytes(64) + (2 * large).tobytes())
    beside = external("v", [64, 192], {"location": "v.bin", "offset": "64", "length": str(large.nbytes)})
    content = model(*nodes, w=large, v=beside)
    graph = cnnir.load(saved(tmp_path, content))
    for prefix in range(4):  # wherever it begins
        content.producer_name = "p" * prefix
        graph = cnnir.load(saved(tmp_path, content))
        assert not graph.weights.drawn
        assert np.array_equal(graph.weights["w"], large) and np.array_equal(graph.weights["v"], 2 * large)
        assert not graph.weights["v"].flags.writeable
    inside = model(*nodes, w=large, v=2 * large)
    assert cnnir.load(saved(tmp_path, inside)) == graph == onnx.parse(inside.SerializeToString())


@pytest.mark.parametrize("beside", [False, True])
def test_reading_a_model_takes_no_copy_of_its_weights(beside: bool, tmp_path: Path) -> None:
    """A process of its own reads 128 MB of weights: reading the model takes a fraction of them, and all of them at most 2.1 copies."""
    large = RNG.random((2**13, 2**12), np.float32)
    nodes = [node("Flatten", "x", "f"), node("MatMul", "w f", "y")]
    square = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2**12, 1])
    (tmp_path / "w.bin").write_bytes(large.tobytes())
    w = external("w", large.shape, {"location": "w.bin"}) if beside else large
    path = saved(tmp_path, model(*nodes, inputs=[square], w=w))
    code = (
        "import cnnir, resource, sys\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "import onnx, cnnir.frontends.onnx.importer, cnnir.frontends.onnx.ops as o; o.load()\n"
        "before = peak(); graph = cnnir.load(sys.argv[1]); loaded = peak(); graph.weights['w'].sum(); print(loaded - before, peak() - before)"
    )
    loaded, read = map(int, subprocess.check_output([sys.executable, "-c", code, str(path)], text=True).split())
    assert loaded < large.nbytes // 4
    assert read < large.nbytes * (1.1 if beside else 2.1)


def test_weights_of_quantized_networks_are_weights() -> None:
    stored = RNG.integers(-128, 128, (4, 3, 3, 3)).astype(np.int8)
    nodes = [
        node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "d"),
        node("DequantizeLinear", "k ks", "w", axis=0), node("Conv", "d w", "c"), node("Relu", "c", "y"),
    ]  # fmt: skip
    scales = np.array([0.01, 0.02, 0.03, 0.04], "f")
    graph = same(model(*nodes, opset=21, s=np.float32(0.05), z=np.int8(3), k=stored, ks=scales))
    assert ops(graph) == ["quantize", "dequantize", "conv", "relu"] and isinstance(graph["c"].op, Conv)


def test_what_has_no_layer_is_kept_word_for_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [
        node("Relu", "x", "r"), node("Det", "r", "d", name="the determinant"),
        node("TopK", "d k", "v i", axis=-1), node("MaxPool", "x", "m", kernel_shape=[2, 2]), node("Relu", "m", "y"),
    ]  # fmt: skip
    path = saved(tmp_path, model(*nodes, outputs=("v", "i", "y"), k=np.array([2])))
    graph = cnnir.load(path)
    verify(graph)
    assert [(layer.name, layer.op.kind) for layer in graph.layers() if isinstance(layer.op, Opaque)] == [
        ("d", "onnx.Det"),
        ("v", "onnx.TopK"),
    ]
    assert str(graph.outputs["i"]) == "i64[1, 2]"
    payload = dict(getattr(graph["d"].op, "payload", ()))
    assert payload["node"] == nodes[1].SerializeToString() and payload["opset"] == 17
    cnnir.save(graph, tmp_path / "n.cnn")
    assert cnnir.load(tmp_path / "n.cnn") == graph
    for verb in ("run", "compile"):
        more = [str(tmp_path / "n.cnnpkg")] if verb == "compile" else [str(tmp_path / "y.npz")]
        assert run_command([verb, str(path), "-o", *more]) == 1
        said = capsys.readouterr().err
        assert said.count("error[") == 1 and "`d`" in said and "`v`" in said and "the determinant" in said
    assert run_command(["check", str(path)]) == 0  # what is around it is looked at


def test_an_input_that_a_layer_wants_to_know_is_named(tmp_path: Path) -> None:
    kernel = helper.make_tensor_value_info("k", TensorProto.FLOAT, [4, 3, 3, 3])
    graph = read(model(node("Conv", "x k", "y"), inputs=[X, kernel]))
    op = graph["y"].op
    assert isinstance(op, Opaque) and "`k` is computed" in op.reason and str(graph.outputs["y"]) == "f32[1, 4, 6, 6]"


def test_an_imported_network_prints_and_reads_back(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x k b", "a/b:0", pads=[1, 1, 1, 1]),
        node("Relu", "a/b:0", "main"),
        node("MaxPool", "main", "float", kernel_shape=[2, 2]),
    ]
    graph = read(model(*nodes, outputs=("float",), k=KERNEL, b=SHIFT))
    assert isinstance(graph["main"].op, Relu)
    cnnir.save(graph, tmp_path / "n.cnn")
    assert cnnir.load(tmp_path / "n.cnn") == graph
    moved = cnnir.optimize(graph, place="always")
    assert [d.verdict for d in moved.decisions] == ["moved"]


def test_bounds_that_are_absent_or_crossed() -> None:
    for inputs, kind in (("x a", "max"), ("x - b", "min"), ("x", None)):
        graph = same(model(node("Clip", inputs, "c"), node("Abs", "c", "y"), a=np.float32(-0.5), b=np.float32(0.25)))
        assert ops(graph) == [n for n in ("clip" if kind else None, "abs") if n]
    crossed = read(model(node("Clip", "x b a", "y"), a=np.float32(-0.5), b=np.float32(0.25)))
    assert set(cnnir.evaluate(crossed, {"x": DATA})["y"].ravel().tolist()) == {-0.5}
    assert not isinstance(crossed["y"].op, Clip)


def test_a_light_network_of_the_package_has_weights_of_one_number() -> None:
    """`ConstantOfShape` stands for each, and nothing is made of it before it is asked for."""
    path = light.folder() / "light_squeezenet.onnx"
    graph = cnnir.load(path)
    assert not graph.weights.drawn and graph.outputs["softmaxout_1"].shape == (1, 1000, 1, 1)
    expected = numpy_helper.to_array(TensorProto.FromString(path.with_name("light_squeezenet_output_0.pb").read_bytes()))
    data = np.ones((1, 3, 224, 224), np.float32)
    assert cnnir.compile(graph)({"data_0": data})["softmaxout_1"].shape == expected.shape
