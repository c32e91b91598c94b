"""Networks too large to compile, or for this machine, are refused in words before anything is allocated."""

from __future__ import annotations

import pytest

import cnnir
from cnnir.ir.limits import refuse_too_large

TOO_LARGE = {
    "a convolution's weight": ("f32[1, 8, 9, 9]", "x -> conv(1000000000000, 3)", "conv(1000000000000, 3)"),
    "a dense layer's weight": ("f32[1, 1000000]", "x -> fc(1000000)", "fc(1000000)"),
    "an input": ("f32[1, 3, 100000, 1000000]", "x -> relu", "x: f32[1, 3, 100000, 1000000]"),
    "layers in between": ("f32[1, 8, 9, 9] in [0, 1]", "x -> [conv(100000, 1) -> relu]*3", "conv(100000, 1)"),
    "a padded map": ("f32[1, 3, 8, 8]", "x -> conv(3, 1, pad=200000)", "conv(3, 1, pad=200000)"),
}


@pytest.mark.parametrize("what", TOO_LARGE)
def test_what_is_too_large_is_refused_at_its_place(what: str) -> None:
    type, body, place = TOO_LARGE[what]
    graph = cnnir.parse(f"network n(x: {type}) {{ {body} }}")
    for use in (cnnir.optimize, cnnir.compile, lambda g: cnnir.emit(g, "relax"), lambda g: cnnir.evaluate(g, {})):
        with pytest.raises(cnnir.CnnirError) as caught:
            use(graph)
        (found,) = caught.value.diagnostics
        assert found.code == "C0514" and found.labels[0].span.text == place
    assert not graph.weights.drawn


def test_the_sum_is_compared_with_memory() -> None:
    graph = cnnir.parse("network n(x: f32[1, 1000]) { x -> fc(1000, bias=off) -> relu }")
    refuse_too_large(graph, 4_008_000)
    with pytest.raises(cnnir.CnnirError) as caught:
        refuse_too_large(graph, 4_007_999)
    assert caught.value.diagnostics[0].code == "C0513"


def test_a_weight_beyond_memory_is_never_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnir.ir.weights.memory", lambda: 1000)
    graph = cnnir.parse("network n(x: f32[1, 8]) { x -> fc(31, bias=off) -> fc(32, bias=off) }")
    assert graph.weights["fc1.weight"].shape == (31, 8)
    with pytest.raises(cnnir.CnnirError):
        _ = graph.weights["fc2.weight"]
