"""Back to the ONNX file that a network was read from: untouched nodes byte for byte, moved ones with the same answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

import cnnir  # noqa: E402
from cnnir.backends.onnx_export import export, save  # noqa: E402
from cnnir.diagnostics import CnnirError  # noqa: E402
from cnnir.frontends import onnx as frontend  # noqa: E402
from cnnir.ir.graph import Graph, Use, Value  # noqa: E402
from cnnir.ir.provenance import Provenance  # noqa: E402

Array = np.ndarray[Any, Any]
POOL = "MaxPool<kernel_shape = [2, 2], strides = [2, 2]>"
SITE = f"r = Relu(x)  p = {POOL}(r)"


def model(
    body: str, weights: str = "", opset: int = 17, type: str = "float[1, 3, 8, 8]", result: str = "float[1, 3, 4, 4]", ir: int = 8
) -> Any:
    """A model of one input `x` and one output `y`; its nodes are called n0, n1, ..."""
    text = f'<ir_version: {ir}, opset_import: ["": {opset}, "my.domain": 3]> n ({type} x) => ({result} y) {weights and f"<{weights}>"} {{ {body} }}'
    made = onnx.parser.parse_model(text)
    for number, node in enumerate(made.graph.node):
        node.name, node.doc_string = f"n{number}", f"says {number}"
    return made


def imported(content: Any, **shapes: tuple[int, ...]) -> Graph:
    return frontend.parse(content.SerializeToString(), shapes=shapes)


def moved(content: Any, exactness: Any = "exact", **shapes: tuple[int, ...]) -> Any:
    """The model after one move, which has been checked."""
    done = cnnir.optimize(imported(content, **shapes), place="always", exactness=exactness)
    assert [d.verdict for d in done.decisions].count("moved") >= 1, [d.reason for d in done.decisions]
    return checked(export(done.graph))


def checked(content: Any) -> Any:
    onnx.checker.check_model(content, full_check=True)
    return content


def run(content: Any, x: Array) -> Array:
    """By onnxruntime, node by node: what it fuses it rounds otherwise, and it fuses other things after a move."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(content.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def assert_same_bits(before: Any, after: Any, shape: tuple[int, ...] = (1, 3, 8, 8)) -> None:
    x = np.random.default_rng(3).standard_normal(shape).astype("f")
    a, b = run(before, x), run(after, x)
    assert a.dtype == b.dtype and a.tobytes() == b.tobytes()


def by_name(content: Any) -> dict[str, bytes]:
    return {node.name: node.SerializeToString() for node in content.graph.node}


def changed(before: Any, after: Any) -> set[str]:
    """Names of nodes that are not byte for byte in both."""
    old, new = by_name(before), by_name(after)
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


# -- as it was


MODELS: Mapping[str, Any] = {
    "chain": model(f"{SITE}  y = Abs(p)"),
    "gemm, a dense layer of turned weights": model(
        "f = Flatten(x)  y = Gemm<alpha = 0.5, beta = 2.0>(f, w, b)", f"float[192, 2] w = {{{','.join('1' * 384)}}}, float[2] b = {{1, 2}}", result="float[1, 2]"
    ),
    "several layers of one node": model("y = PRelu(x, x)", result="float[1, 3, 8, 8]"),
    "a function written out": model("y = MeanVarianceNormalization(x)", result="float[1, 3, 8, 8]"),
    "shape arithmetic": model("s = Shape(x)  g = Gather(s, i)  u = Unsqueeze(g, z)  c = Concat<axis = 0>(u, m)  y = Reshape(x, c)",
        "int64 i = {0}, int64[1] z = {0}, int64[1] m = {-1}", result="float[1, 192]"),
    "other names for a value": model("i = Identity(x)  j = Identity(i)  r = Relu(i)  y = Add(r, j)", result="float[1, 3, 8, 8]"),
    "constants, nodes that nobody reads": model("c = Constant<value = float {2}>()  d = Exp(c)  e = Sqrt(x)  y = Mul(x, c)", result="float[1, 3, 8, 8]"),
    "an output that is an input": model("y = Identity(x)", result="float[1, 3, 8, 8]"),
    "an opaque node of a domain": model("y = my.domain.Foo<a = 3>(x)", result="float[1, 3, 8, 8]"),
    "a subgraph that captures": model(f"{SITE}  k = ReduceMax<keepdims = 0>(x)  c = Cast<to = 9>(k)  y = If (c) <then_branch = a () => (float[1, 3, 4, 4] o) {{ o = Abs(p) }}, else_branch = b () => (float[1, 3, 4, 4] q) {{ q = Neg(p) }}>"),
    "quantized": model("q = QuantizeLinear(x, s, z)  r = QLinearAdd(q)  y = DequantizeLinear(q, s, z)".replace("  r = QLinearAdd(q)", ""), "float s = {0.1}, uint8 z = {128}", result="float[1, 3, 8, 8]"),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_what_nobody_touched_comes_back_byte_for_byte(name: str) -> None:
    content = MODELS[name]
    assert export(imported(content)).SerializeToString() == content.SerializeToString()


def test_what_a_file_says_besides_its_nodes_stays() -> None:
    content = model(f"{SITE}  y = Abs(p)", "float[2] unread = {1, 2}")
    content.producer_name, content.producer_version, content.domain, content.model_version = "me", "1.2", "org", 7
    content.doc_string = content.graph.doc_string = "what it is"
    content.graph.input[0].doc_string = "an image"
    content.metadata_props.add(key="author", value="somebody")
    for name, shape in (("r", [1, 3, 8, 8]), ("p", [1, 3, 4, 4])):
        content.graph.value_info.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    after = moved(content)
    assert [info.name for info in after.graph.value_info] == ["p"]  # `r` is gone, and `p` is of the same type still
    for part in (content.graph, after.graph):
        del part.node[:], part.value_info[:]
    assert after.SerializeToString() == content.SerializeToString()


# -- moved


def test_only_what_moved_differs() -> None:
    content = model(f"{SITE}  a = Abs(p)  y = Exp(a)")
    after = moved(content)
    assert changed(content, after) == {"n0", "n1"}
    assert [(n.op_type, n.name, n.doc_string) for n in after.graph.node[:2]] == [("MaxPool", "n1", "says 1"), ("Relu", "n0", "says 0")]
    assert after.graph.node[1].output == ["p"]  # which those behind it used to read
    assert_same_bits(content, after)


def test_an_output_keeps_its_name() -> None:
    content = model(f"r = Relu(x)  y = {POOL}(r)")
    assert_same_bits(content, moved(content))


def test_a_moved_node_that_no_longer_means_the_same_is_written_anew() -> None:
    """Padding by size: the pool reads other channels, not another size, but who wrote the node did not say how much it pads."""
    pool = 'MaxPool<kernel_shape = [3, 3], strides = [2, 2], auto_pad = "SAME_UPPER">'
    content = model(f"r = Relu(x)  q = Neg(x)  c = Concat<axis = 1>(r, q)  s = Sigmoid(c)  y = {pool}(s)", result="float[1, 6, 4, 4]")
    after = moved(content)
    pools = [n for n in after.graph.node if n.op_type == "MaxPool"]
    assert pools and not any(a.name == "auto_pad" for n in pools for a in n.attribute if n.input[0] != "c")
    assert_same_bits(content, after)


def test_a_node_with_another_weight_is_written_anew() -> None:
    """One node is two layers here, a product and a sum. With another weight it is no longer the node of the file."""
    graph = imported(
        model("g = Gemm(x, w, w)  y = Abs(g)", f"float[2, 2] w = {{{','.join('1234')}}}", type="float[2, 2]", result="float[2, 2]")
    )
    assert [n.op_type for n in export(graph).graph.node] == ["Gemm", "Abs"]
    (key,) = (key for layer in graph.layers() for role, key in layer.weights if role == "weight")
    graph.weights[key] = np.asarray([[5.0, 6], [7, 8]], np.float32)
    after = checked(export(graph))
    x = np.asarray([[1.0, 2], [3, 4]], np.float32)
    np.testing.assert_array_equal(run(after, x), cnnir.evaluate(graph, {"x": x})["y"])
    assert [n.op_type for n in after.graph.node][-1] == "Abs"


def test_captured_names_follow_their_values() -> None:
    branch = (
        "then_branch = a () => (float[1, 3, 4, 4] o) {{ o = Abs({0}) }}, else_branch = b () => (float[1, 3, 4, 4] q) {{ q = Neg({0}) }}"
    )
    body = (
        f"s = Sigmoid(x)  p = {POOL}(s)  e = Abs(x)  k = ReduceMin<keepdims = 0>(x)  c = Cast<to = 9>(k)  y = If (c) <{branch.format('p')}>"
    )
    content = model(body)
    graph = imported(content)
    opaque = next(layer.name for layer in graph.layers() if layer.op.name == "opaque")
    slot = graph.operands(opaque).index(Value("p"))
    other = graph.add(graph["p"].op, [Value("e")], name="other")
    graph.connect(Use(opaque, slot), other)
    after = checked(export(graph))
    inner = next(n for n in after.graph.node if n.op_type == "If")
    assert {n.input[0] for a in inner.attribute for n in a.g.node} == {"other"}
    x = np.abs(np.random.default_rng(0).standard_normal((1, 3, 8, 8))).astype("f") + 1
    np.testing.assert_array_equal(run(after, x), x.reshape(1, 3, 4, 2, 4, 2).max((3, 5)))


SIZES = "int64[1] z = {0}, int64[1] m = {-1}, int64 i = {0}"


@pytest.mark.parametrize(("of", "stays"), [("p", True), ("r", False)])
def test_shapes_are_asked_of_values_that_still_have_them(of: str, stays: bool) -> None:
    """Behind the move `p` is as large as before; no value is as large as `r` was that has its name."""
    body = f"{SITE}  s = Shape({of})  g = Gather(s, i)  u = Unsqueeze(g, z)  c = Concat<axis = 0>(u, m)  y = Reshape(p, c)"
    content = model(body, SIZES, type="float[N, 3, H, W]", result="float[N, M]")
    after = moved(content, x=(2, 3, 8, 8))
    assert ("Shape" in {n.op_type for n in after.graph.node}) is stays
    size = after.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in size] == ["N" if stays else 2, 3, 8, 8]  # no proof looks at N; one looked at H and W
    assert_same_bits(content, after, (2, 3, 8, 8))
    if stays:
        assert_same_bits(content, after, (5, 3, 8, 8))


def test_sizes_stay_open_where_nothing_moved() -> None:
    content = model("y = Abs(x)", type="float[N, 3, H, W]", result="float[N, 3, H, W]")
    assert export(imported(content, x=(1, 3, 8, 8))).SerializeToString() == content.SerializeToString()


def test_what_is_added_to_an_old_file_is_no_input() -> None:
    """Up to IR version 3 every tensor is an input, too; who runs the model would have to give it."""
    content = model(f"a = LeakyRelu<alpha = -0.5>(x)  y = {POOL}(a)", opset=8, ir=3)
    after = moved(content)
    assert len(after.graph.input) == 1 and after.ir_version == 3
    assert_same_bits(content, after)


def test_dropped_layers_take_their_tensors_along() -> None:
    content = model("a = Mul(x, w)  y = Abs(x)", "float w = {2}", result="float[1, 3, 8, 8]", ir=3)
    content.graph.input.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, []))
    graph = imported(content)
    graph.remove("a")
    after = checked(export(graph))
    assert [n.op_type for n in after.graph.node] == ["Abs"]
    assert not after.graph.initializer and [i.name for i in after.graph.input] == ["x"]


# -- its opset

LAYERS = (
    "relu", "clip(-1, 1)", "clip(0, inf)", "leaky(0.1)", "maxpool(2)", "avgpool(3, pad=1)", "softmax(axis=1)", "logsoftmax(axis=2)", "flatten -> fc(5, bias=off)",
    "reshape(3, 8, 8) -> unsqueeze([0]) -> squeeze([0])", "slice([1], [3], [1])", "pad([0, 0, 1, 1], [0, 0, 1, 1], value=1.5)", "reduce_sum([2], keepdims=off)", "reduce_max([1])",
    "batchnorm", "conv(4, 3, pad=1)", "square", "sigmoid", "softplus", "elu", "transpose([0, 2, 3, 1])", "bias", "add(0.5)", "max(0.25)", "global_avgpool", "lrn(3)",
)  # fmt: skip


@pytest.mark.parametrize("opset", [7, 8, 9, 10, 11, 12, 13, 15, 17, 18, 19, 20, 21, 22])
def test_layers_are_written_in_the_opset_of_the_file(opset: int) -> None:
    """A file without nodes, to which each layer is added."""
    ir = onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", opset)])
    for text in LAYERS:
        graph = cnnir.parse(f"network n(x: f32[1, 3, 8, 8]) {{ x -> {text} }}")
        (result,) = graph.results
        shell = model("y = Abs(x)", opset=opset, ir=max(ir, 4))
        del shell.graph.node[:]
        shell.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(result, onnx.TensorProto.FLOAT, graph.outputs[result].shape))
        graph.provenance = Provenance("onnx", shell.SerializeToString(), (), (), {"x": Value("x")}, {"x": graph.inputs["x"]}, {})
        after = checked(export(graph))
        assert after.opset_import[0].version == opset
        x = np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype("f")
        np.testing.assert_allclose(run(after, x), cnnir.evaluate(graph, {"x": x})[result], rtol=2e-6, atol=2e-6, err_msg=text)


def test_what_an_opset_cannot_say_is_refused_by_name() -> None:
    graph = imported(model("y = Abs(x)", opset=8))
    graph.results["z"] = graph.add(cnnir.parse("network n(x: f32[1, 3, 8, 8]) { x -> erf }")["erf1"].op, [Value("x")], name="late")
    with pytest.raises(CnnirError) as caught:
        export(graph)
    assert [d.code for d in caught.value.diagnostics] == ["C0701"] and "late" in caught.value.diagnostics[0].message


# -- weights


def weighted(folder: Path, external: bool) -> tuple[Path, Any]:
    content = model("c = Conv<pads = [1, 1, 1, 1]>(x, w, b)  r = Relu(c)  y = " + POOL + "(r)", result="float[1, 64, 4, 4]")
    rng = np.random.default_rng(2)
    for name, shape in (("w", (64, 3, 3, 3)), ("b", (64,))):
        content.graph.initializer.append(onnx.numpy_helper.from_array(rng.standard_normal(shape).astype("f"), name))
    path = folder / "in.onnx"
    written = onnx.ModelProto()
    written.CopyFrom(content)  # saving takes the numbers out
    onnx.save(written, path, save_as_external_data=external, location="numbers", size_threshold=1024)
    return path, content


@pytest.mark.parametrize("external", [False, True])
def test_weights_stay_where_they_are(tmp_path: Path, external: bool) -> None:
    path, content = weighted(tmp_path, external)
    done = cnnir.optimize(cnnir.load(path), place="always")
    (tmp_path / "other").mkdir()
    out = tmp_path / "other" / "out.onnx"
    cnnir.export_onnx(done.graph, out)
    after = onnx.load(out, load_external_data=False)
    assert [t.data_location == onnx.TensorProto.EXTERNAL for t in after.graph.initializer] == [external, False]
    assert {p.name for p in out.parent.iterdir()} == {"out.onnx", *(["out.onnx.data"] if external else [])}
    loaded = onnx.load(out)
    assert [t.raw_data for t in loaded.graph.initializer] == [t.raw_data for t in content.graph.initializer]
    onnx.checker.check_model(str(out), full_check=True)
    assert_same_bits(content, loaded)


@pytest.mark.parametrize("external", [False, True])
def test_in_place(tmp_path: Path, external: bool) -> None:
    """The weights are read from the file that is about to be replaced."""
    path, content = weighted(tmp_path, external)
    cnnir.export_onnx(cnnir.optimize(cnnir.load(path), place="always").graph, path)
    assert_same_bits(content, onnx.load(path))


def test_a_failed_export_leaves_nothing(tmp_path: Path) -> None:
    path, _ = weighted(tmp_path, True)
    graph = cnnir.load(path)
    (tmp_path / "numbers").unlink()
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(CnnirError):
        cnnir.export_onnx(graph, tmp_path / "out.onnx")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


# -- beside the network


def test_the_record_is_no_part_of_the_network() -> None:
    graph = imported(MODELS["chain"])
    bare = graph.copy()
    assert bare.provenance is graph.provenance is not None
    bare.provenance = None
    assert bare == graph and cnnir.dumps(bare) == cnnir.dumps(graph) and bare.fingerprint() == graph.fingerprint()


def test_a_new_network_has_the_default_opset() -> None:
    graph = imported(MODELS["chain"])
    graph.provenance = None
    assert [(o.domain, o.version) for o in checked(export(graph)).opset_import] == [("", 20)]


@pytest.mark.parametrize("name", ["an opaque node of a domain", "a subgraph that captures", "chain"])
def test_through_the_language_and_back(tmp_path: Path, name: str) -> None:
    """The language keeps opaque nodes word for word, and their opset; what ONNX called the rest it does not."""
    content = MODELS[name]
    cnnir.save(imported(content), tmp_path / "n.cnn")
    save(cnnir.load(tmp_path / "n.cnn"), tmp_path / "n.onnx")
    after = onnx.load(tmp_path / "n.onnx")
    opaque = [[dataclasses.replace(Bare.of(n)) for n in m.graph.node if n.domain or n.op_type == "If"] for m in (content, after)]
    assert opaque[0] == opaque[1]
    if "domain" not in name:
        assert_same_bits(content, checked(after))


@dataclasses.dataclass
class Bare:
    """A node but for the names of values."""

    op: str
    name: str
    attributes: int

    @classmethod
    def of(cls, node: Any) -> Bare:
        return cls(f"{node.domain}.{node.op_type}", node.name, len(node.attribute))
