"""What a move costs in another runtime."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("onnx")

import cnnir
from cnnir.backends.peers.price import RuntimePrice, neighbourhood
from cnnir.decisions import Site
from cnnir.diagnostics import CnnirError
from cnnir.ir.graph import Graph
from cnnir.passes.place import place
from cnnir.price import Price, Work

TWICE = """network n(x: f32[1, 4, 16, 16]) {
    a = x -> conv(4, 3, pad=1) -> relu -> maxpool(2)
    b = x -> conv(4, 3, pad=1) -> relu -> maxpool(2)
    concat(a, b) -> flatten -> fc(2)
}
"""
WORK = Work(100), Work(25)


def always(graph: Graph) -> Graph:
    return place(graph, "always").graph


class Counted(RuntimePrice):
    """Says what it is told, and how often it was asked for the time."""

    asked = 0
    price = Price(2.0, 1.0)

    def _timed(self, written: Graph, moved: Graph) -> Price:
        assert [layer.op.name for layer in written.layers()] == ["input", "conv", "relu", "maxpool"]
        assert [layer.op.name for layer in moved.layers()] == ["input", "conv", "maxpool", "relu"]
        self.asked += 1
        return self.price


def test_a_site_is_timed_with_the_convolution_in_front_of_it_and_once_a_shape() -> None:
    graph = cnnir.parse(TWICE)
    price = Counted("onnxruntime", always)
    done = place(graph, price=price)
    assert [d.verdict for d in done.decisions] == ["moved", "moved"] and price.asked == 1
    price = Counted("onnxruntime", always)
    price.price = Price(2.0, 1.0, unclear=True)
    assert [d.verdict for d in place(graph, price=price).decisions] == ["kept", "kept"]


def test_ranges_come_along_where_a_proof_needs_them() -> None:
    graph = cnnir.parse("network n(x: f32[1, 2, 8, 8] in [0, 3]) { x -> square -> maxpool(2) }")
    (decision,) = place(graph).decisions
    assert always(neighbourhood(graph, decision.site)) != neighbourhood(graph, decision.site)
    (span,) = neighbourhood(graph, decision.site, ranges=True).ranges.values()
    assert span == (0, 3)
    assert neighbourhood(graph, decision.site).ranges == {"x0": None}


def test_what_cannot_stand_alone_is_counted() -> None:
    graph = cnnir.parse(TWICE)
    price = RuntimePrice("onnxruntime", lambda site: site)
    assert price.saving(graph, Site("maxpool1", ("relu1",)), *WORK) == Price(100, 25, "operations")


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_runtime_is_asked(runtime: str) -> None:
    pytest.importorskip(runtime)
    graph = cnnir.parse("network n(x: f32[1, 2, 8, 8]) { x -> conv(2, 3) -> sigmoid -> maxpool(2) }")
    (decision,) = cnnir.optimize(graph, runtime=runtime).decisions
    assert decision.verdict in ("moved", "kept") and " us before, " in decision.reason


def test_unknown_and_contradicting() -> None:
    graph = cnnir.parse(TWICE)
    for asked, code in (({"runtime": "tensorflow"}, "C0710"), ({"runtime": "openvino", "place": "always"}, "C0509")):
        with pytest.raises(CnnirError) as caught:
            cnnir.optimize(graph, **asked)  # type: ignore[arg-type]
        assert caught.value.diagnostics[0].code == code and caught.value.exit_code == 2
    assert math.isclose(Price(1, 2).backwards.before, 2) and not Price(2, 1, unclear=True).saves
