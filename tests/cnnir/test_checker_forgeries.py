"""Certificates and rewritten networks that have been tampered with: the independent checker refuses every one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import cnnir
from cnnir.certificates import Certificate
from cnnir.checker.check import Checked, check
from cnnir.decisions import Decision, Optimized, Site
from cnnir.ir.graph import Graph, Use, Value
from cnnir.ops.arithmetic import Minimum
from cnnir.ops.piecewise import Relu6
from cnnir.ops.pooling import MaxPool, MinPool
from cnnir.ops.smooth import Silu
from cnnir.passes.laws import LAWS
from cnnir.passes.place import place

NETWORKS = {
    "up": ("x -> relu -> maxpool(2)", "exact"),
    "down": ("x -> neg -> sigmoid -> maxpool(2)", "exact"),
    "valley": ("x -> abs -> maxpool(2)", "exact"),
    "peak": ("x -> abs -> neg -> minpool(2)", "exact"),
    "channel": ("x -> scale -> relu -> maxpool(2)", "exact"),
    "affine": ("x -> mul(2) -> add(1) -> avgpool(2)", "ulp"),
    "pointwise": ("x -> conv(3, 1) -> avgpool(2)", "ulp"),
    "concat": ("concat(x -> relu, x -> sigmoid) -> maxpool(2)", "exact"),
    "cascade": ("x -> maxpool(2) -> relu -> maxpool(2)", "exact"),
    "softsign": ("x -> softsign -> maxpool(2)", "ulp"),
}


def moved(name: str) -> tuple[Graph, Optimized]:
    body, exactness = NETWORKS[name]
    graph = cnnir.parse(f"network n(x: f32[1, 9, 6, 6] in [-2, 2]) {{ {body} }}")
    done = place(graph, "always", exactness)  # type: ignore[arg-type]
    assert any(d.verdict == "moved" for d in done.decisions)
    return graph, done


def run(before: Graph, done: Optimized) -> Checked:
    return check(before, done.graph, done.decisions)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_right_is_confirmed(name: str) -> None:
    before, done = moved(name)
    checked = run(before, done)
    assert name not in LAWS or name in {d.law for d in done.decisions if d.verdict == "moved"}
    assert checked.report.verdict == "confirmed", [str(c) for d in checked.report.decisions for c in d.checks]
    assert len(checked.steps) == sum(d.verdict == "moved" for d in done.decisions)


def certified(change: Callable[[Certificate], Certificate], at: int = 0) -> Callable[[Optimized], Optimized]:
    """The same network with another certificate."""

    def forge(done: Optimized) -> Optimized:
        decisions = list(done.decisions)
        found = decisions[at].certificate
        assert found is not None
        decisions[at] = replace(decisions[at], certificate=change(found))
        return Optimized(done.graph, tuple(decisions))

    return forge


def recorded(**changes: object) -> Callable[[Optimized], Optimized]:
    """The first group of channels says something else."""
    return certified(lambda c: replace(c, records=(replace(c.records[0], **changes), *c.records[1:])))  # type: ignore[arg-type]


def rewritten(change: Callable[[Graph], None]) -> Callable[[Optimized], Optimized]:
    """Another network with the same certificates."""

    def forge(done: Optimized) -> Optimized:
        graph = done.graph.copy()
        change(graph)
        return Optimized(graph, done.decisions)

    return forge


def decided(change: Callable[[Decision], Decision]) -> Callable[[Optimized], Optimized]:
    """Another decision."""
    return lambda done: Optimized(done.graph, tuple(change(d) for d in done.decisions))


def drop(name: str) -> Callable[[Graph], None]:
    def change(graph: Graph) -> None:
        graph.replace_uses(Value(name), graph.data(name)[0])
        graph.remove(name)

    return change


def flip_mask(graph: Graph) -> None:
    weights = type(graph.weights)({name: graph.weights.source(name) for name in graph.weights})
    mask = np.array(weights["maxpool1.mask"])
    mask[0] = -mask[0]
    weights["maxpool1.mask"] = mask
    graph.weights = weights


def second_reader(graph: Graph) -> None:
    """The moved pool's value is shown to the user, which the network before it never computed."""
    graph.results = {**graph.results, "more": Value("maxpool1")}


def share(graph: Graph) -> None:
    graph.results = {**graph.results, "more": Value("relu1")}


FORGERIES: dict[str, tuple[str, Callable[[Optimized], Optimized], str]] = {
    "the wrong kind of pool": ("up", rewritten(lambda g: g.revise("maxpool1", op=MinPool((2, 2), (2, 2)))), "refuted"),
    "the pool was not turned": ("down", rewritten(lambda g: g.revise("maxpool1", op=MaxPool((2, 2), (2, 2)))), "refuted"),
    "another window": ("up", rewritten(lambda g: g.revise("maxpool1", op=MaxPool((2, 2), (2, 2), (1, 1, 1, 1)))), "refuted"),
    "a layer dropped": ("down", rewritten(drop("neg1")), "refuted"),
    "a layer changed": ("up", rewritten(lambda g: g.revise("relu1", op=Relu6())), "refuted"),
    "a wrong mask": ("channel", rewritten(flip_mask), "refuted"),
    "a forged direction": ("up", decided(lambda d: replace(d, law="down")), "refuted"),
    "a direction that the law does not use": ("up", recorded(direction="down"), "refuted"),
    "half of the channels forgotten": ("channel", certified(lambda c: replace(c, records=c.records[:1])), "refuted"),
    "a range that the data leave": ("affine", recorded(data=(0.0, 0.5)), "could not confirm"),
    "a bound too small": ("softsign", certified(lambda c: replace(c, bound=1e-12)), "refuted"),
    "a bound of an average too small": ("affine", certified(lambda c: replace(c, bound=1e-12)), "could not confirm"),
    "no bound": ("softsign", certified(lambda c: replace(c, bound=None)), "could not confirm"),
    "class E for a library function": ("down", certified(lambda c: replace(c, float_class="E")), "could not confirm"),
    "moved past a second reader": ("up", rewritten(second_reader), "refuted"),
    "moved past an output": ("up", rewritten(share), "refuted"),
    "combined the wrong way": ("valley", rewritten(lambda g: g.revise("max", op=Minimum())), "refuted"),
    "both ends of the same pool": ("valley", rewritten(lambda g: g.connect(Use("abs", 0), Value("maxpool1"))), "refuted"),
    "a pool left out of a concat": ("concat", rewritten(lambda g: drop(g.data("concat1")[1].layer)(g)), "refuted"),
    "a certificate of another site": ("up", certified(lambda c: replace(c, region=("conv1",))), "refuted"),
    "a site that is not there": ("up", decided(lambda d: replace(d, site=Site("maxpool9", d.site.region))), "refuted"),
    "a move that nobody decided": ("up", decided(lambda d: replace(d, verdict="refused")), "refuted"),
    "another pool than both": ("cascade", rewritten(lambda g: g.revise("maxpool2", op=MaxPool((3, 3), (4, 4)))), "refuted"),
    "a pool of both that starts from 0.5": (
        "cascade",
        rewritten(lambda g: g.revise("maxpool2", op=MaxPool((4, 4), (4, 4), start=0.5))),
        "refuted",
    ),
    "a law that nobody knows": ("up", decided(lambda d: replace(d, law="sideways")), "could not confirm"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_was_tampered_with_is_not_confirmed(name: str) -> None:
    network, forge, verdict = FORGERIES[name]
    before, done = moved(network)
    report = run(before, forge(done)).report
    assert report.verdict == verdict, [str(report.structure), *(str(c) for d in report.decisions for c in d.checks)]


def test_a_law_that_believes_everything_is_refuted_with_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """silu moved as if it never decreased: the checker shows two numbers."""
    from cnnir.passes.laws.order import OrderLaw

    graph = cnnir.parse("network n(x: f32[1, 2, 6, 6]) { x -> silu -> maxpool(2) }")
    monkeypatch.setattr(OrderLaw, "conditions", {})
    done = place(graph, "always")
    report = run(graph, done).report
    (shown,) = [c.counterexample for d in report.decisions for c in d.checks if c.counterexample]
    a, b = shown.points
    assert a < b and shown.values[0] > shown.values[1]
    f = Silu().evaluate([np.array([a, b], np.float32)], {})[0]
    assert tuple(f.tolist()) == shown.values


def test_a_kept_site_is_looked_at_too() -> None:
    graph = cnnir.parse("network n(x: f32[1, 2, 6, 6]) { x -> relu -> maxpool(2) }")
    done = place(graph, "never")
    report = run(graph, done).report
    assert report.verdict == "confirmed" and len(report.decisions) == 1
    forged = decided(lambda d: replace(d, law="down"))(done)
    assert run(graph, forged).report.verdict == "refuted"
