"""Ops beyond the classic layers, three ways: the reference, what is compiled, and onnxruntime on what is exported."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnnir
from cnnir.ir.graph import Graph

HEAD = "x: f32[2, 4, 4, 6] in [0, 1], z: f32[2, 4, 4, 6], v: f32[6], i: i32[3], j: i64[2, 3], b: i8[2, 4, 4, 6], t: bool[2, 1, 1, 6]"
LAYERS = [
    "x -> reduce_sum(2, 3)", "x -> reduce_mean", "x -> reduce_max(1, keepdims=off)", "x -> reduce_min(-1)", "x -> reduce_prod(1)",
    "z -> reduce_l1(2)", "z -> reduce_l2(2, 3, keepdims=off)", "z -> reduce_sum_square", "x -> reduce_log_sum(1)",
    "z -> reduce_log_sum_exp(1, keepdims=off)", "mul(z, 90) -> reduce_log_sum_exp(1, 3)", "i -> reduce_sum", "j -> reduce_max(0)",
    "z -> argmax", "z -> argmin(3, keepdims=off)", "j -> argmax(axis=1)", "z -> floor -> argmax(axis=-1)",
    "x -> cumsum(2)", "x -> cumsum(1, exclusive=on, reverse=on)", "i -> cumsum(0, exclusive=on)", "z -> cumsum(-1, reverse=on)",
    "x -> gather([2, 0, -1], axis=2)", "x -> gather(1, axis=1)", "gather(x, i, axis=2)", "gather(x, j, axis=-1)", "gather(v, j)",
    "x -> expand(3, 2, 4, 4, 6)", "v -> expand(2, 6)", "x -> tile(1, 2, 1, 3)", "v -> tile(2)",
    "x -> depth_to_space(2)", "x -> depth_to_space(2, mode=crd)", "x -> space_to_depth(2)", "b -> space_to_depth(2)",
    "z -> groupnorm(2)", "z -> groupnorm(4, eps=0.01)", "z -> instancenorm", "z -> layernorm", "z -> layernorm(1, eps=0.1)",
    "z -> reshape(2, 4, 24) -> instancenorm", "z -> logsoftmax", "z -> logsoftmax(-1)",
    "x -> pow(1.5)", "pow(2, z)", "pow(x, z)", "x -> mod(0.3)", "mod(x, z)", "x -> fmod(-0.3)", "fmod(z, x)", "mod(i, 3)", "mod(j, -4)",
    "x -> greater(0.5)", "x -> greater_equal(0.5) -> not", "less(x, z) -> cast(f32)", "less_equal(1, i)", "not_equal(i, 2)", "equal(floor(z), 0)",
    "and(less(x, z), t)", "or(t, t -> not)", "xor(greater(x, 0.5), t)", "where(t, x, z)", "where(greater(x, z), v, z)", "where(t, b, neg(b))",
    "prelu(z, v, per=input)", "prelu(z, x, per=input)", "matmul(x, z -> transpose(0, 1, 3, 2))", "matmul(x, v)", "matmul(v, transpose(z, 0, 1, 3, 2))",
    "matmul(v, v)", "matmul(x, z -> gather(0, axis=1) -> transpose(0, 2, 1) -> unsqueeze(1))", "matmul(j, transpose(j))",
    "z -> quantize(0.1, 3)", "z -> quantize([0.1, 0.2, 0.3, 0.4], to=i8)", "b -> dequantize(0.1, 3)", "b -> dequantize([0.1, 1, 1, 3], axis=2)",
    "z -> cast(f16) -> cast(f64)", "z -> cast(i32)", "z -> reshape(2, -1)", "v -> unsqueeze(0, 2) -> squeeze(0)", "z -> slice([1, -1], [4, 0], [1, 3], [2, -2])",
    "z -> transpose", "z -> pad(1, 2, mode=reflect)", "z -> pad([0, 1, 0, 2], value=7)", "z -> resize(2)", "z -> resize(size=[7, 3], mode=linear)",
    "z -> resize(2, coordinates=asymmetric, rounding=floor)", "z -> conv_transpose(3, 3, stride=2, pad=1, output_pad=1)", "constant(f32[2, 3])",
    "z -> lppool(2)", "z -> lppool(3, stride=2, pad=1, p=3)", "z -> lppool([3, 2], stride=1, p=1, dilation=[1, 2])", "z -> maxpool_places(3, stride=1, pad=1)",
    "b -> maxpool_places(2)", "z -> floor -> maxpool_places(3, stride=2, pad=1, dilation=[2, 1])",
]  # fmt: skip
SEVERAL = "p, q = z -> split([1, 3]); return p, q"
PLACES = "p, q = z -> floor -> maxpool_with_places(3, stride=2, pad=1); return p, q"


def network(body: str) -> Graph:
    return cnnir.parse(f"network n({HEAD}) {{ {body} }}")


def data(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "x": rng.random((2, 4, 4, 6)).astype(np.float32) + np.float32(1e-3), "z": rng.standard_normal((2, 4, 4, 6)).astype(np.float32),
        "v": rng.random(6).astype(np.float32) + np.float32(0.1), "i": np.array([3, -1, 7], np.int32), "j": np.array([[0, -2, 1], [-9, 2, 30]]),
        "b": rng.integers(-128, 128, (2, 4, 4, 6)).astype(np.int8), "t": rng.random((2, 1, 1, 6)) < 0.5,
    }  # fmt: skip


def alike(wanted: Any, found: Any, words: str) -> None:
    assert (wanted.shape, wanted.dtype) == (found.shape, found.dtype), words
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(found, wanted, err_msg=words)
    np.testing.assert_allclose(found.astype(np.float64), wanted.astype(np.float64), rtol=3e-5, atol=3e-6, err_msg=words)


def test_all_of_them_are_compiled_and_read_back() -> None:
    body = "; ".join(f"y{k} = {text}" for k, text in enumerate(LAYERS))
    graph = network(f"{body}; p, q = z -> split([1, 3]); return p, q, {', '.join(f'y{k}' for k in np.arange(len(LAYERS)))}")
    assert cnnir.parse(cnnir.dumps(graph)) == graph
    program = cnnir.compile(graph, threads=1)
    for seed in range(2):
        wanted, found = cnnir.evaluate(graph, data(seed)), program(data(seed))
        for name, text in [("p", SEVERAL), ("q", SEVERAL), *((f"y{k}", text) for k, text in enumerate(LAYERS))]:
            alike(wanted[name], found[name], text)


@pytest.mark.parametrize("text", [*LAYERS, SEVERAL, PLACES])
def test_each_means_what_its_onnx_operator_means(text: str) -> None:
    pytest.importorskip("onnxruntime")
    import onnxruntime as ort

    from cnnir.backends.onnx_export import export

    graph = network(text)
    model = export(graph)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = data()
    wanted = cnnir.evaluate(graph, feeds)
    given = {i.name for i in session.get_inputs()}
    found = dict(zip(wanted, session.run(list(wanted), {n: a for n, a in feeds.items() if n in given}), strict=True))
    for name in wanted:
        alike(wanted[name], found[name], text)
