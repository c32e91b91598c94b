"""Each side condition: a network that it refuses, in words; and with the condition dropped, an answer that is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnnir
from cnnir.backends.reference import evaluate
from cnnir.decisions import Optimized
from cnnir.facts import analyse, transfer
from cnnir.facts.precision import Whole
from cnnir.ir.graph import Graph
from cnnir.ops import arithmetic, convolution, piecewise, smooth
from cnnir.ops.base import Op
from cnnir.ops.pooling import AdaptiveMaxPool, MaxPool, MinPool
from cnnir.ops.tensor import Concat, Input, Softmax
from cnnir.passes import region
from cnnir.passes.absorb import AbsorbPass
from cnnir.passes.laws import LAWS
from cnnir.passes.laws.order import OrderLaw
from cnnir.passes.place import place
from cnnir.types import TensorType

from .builders import TWO, WINDOW, mixed_slopes, two_values
from .cases import CASES, Case
from .networks import bits, chain

NAMES = list(CASES)


@pytest.mark.parametrize("name", NAMES)
def test_each_side_condition_refuses_with_its_reason(name: str) -> None:
    case = CASES[name]
    decisions = rewritten(case, case.graph()).decisions
    assert not any(d.verdict == "moved" for d in decisions)
    if case.words:
        (decision,) = decisions
        assert (decision.verdict, decision.condition) == ("refused", case.condition), decision
        assert case.words in decision.reason
        assert decision.proof is None


def rewritten(case: Case, graph: Graph) -> Optimized:
    """The case's network after everything that its law may do."""
    if case.law == "absorb":
        return AbsorbPass(case.terms.nan).decide(graph)
    return place(graph, "always", case.terms.exactness, nan=case.terms.nan)


def differs(case: Case) -> bool:
    """Whether placing the case's network changes its answers, or cannot even be done."""
    graph, data = case.graph(), case.data()
    feeds = dict.fromkeys(graph.inputs, data)
    with np.errstate(all="ignore"):
        try:
            done = rewritten(case, graph).graph
            before, after = evaluate(graph, feeds), evaluate(done, feeds)
        except Exception:  # a wrong move that cannot even be run is wrong
            return True
    return any(before[k].shape != after[k].shape or not np.array_equal(bits(before[k]), bits(after[k])) for k in before)


@pytest.mark.parametrize("name", [name for name in NAMES if CASES[name].alone])
def test_without_the_condition_the_answer_is_wrong(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutation test: every condition is needed."""
    case = CASES[name]
    assert not differs(case)
    drop(case, monkeypatch)
    assert differs(case), f"nothing went wrong without {case.condition!r}"


def drop(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take one side condition out of its law."""
    if case.law == "region":
        monkeypatch.setattr(region, case.condition, lambda *_: None)
        return
    if case.condition == "no wrapping":  # what it asks is a part of every fact: take all numbers to fit
        monkeypatch.setattr(Whole, "holds", lambda *_: True)
        for module in (analyse, transfer):
            monkeypatch.setattr(module, "fits", lambda *_: True)
    law: Any = OrderLaw if case.law == "order" else type(LAWS[case.law])
    assert case.condition in law.conditions
    monkeypatch.setattr(law, "conditions", {name: c for name, c in law.conditions.items() if name != case.condition})


NOTHING_TO_WIN = {("concat", "opens something")}
"""Conditions that keep a rewrite from being useless, not from being wrong."""


def test_every_condition_has_a_case() -> None:
    dropped = {(case.law, case.condition) for case in CASES.values() if case.alone} | NOTHING_TO_WIN
    own = {("order" if isinstance(law, OrderLaw) else name, condition) for name, law in LAWS.items() for condition in law.conditions}
    assert own | {("region", "elementwise"), ("region", "private")} == dropped


def test_a_witness_names_the_channel_and_shows_both_answers() -> None:
    (decision,) = place(mixed_slopes(), "always").decisions
    witness = decision.witness
    assert witness is not None and witness.channel == 7
    f = {v: v if v > 0 else np.float32(-0.41) * np.float32(v) for v in witness.window}
    assert witness.before == min(f.values()) and witness.after == f[min(witness.window)]
    assert f"it gives {witness.before + 0.0:.6g} before the swap and {witness.after + 0.0:.6g} after" in decision.reason


def test_a_min_pool_behind_a_valley_has_a_witness_too() -> None:
    (decision,) = place(chain(smooth.Silu(), MinPool((2, 2), (2, 2)), shape=WINDOW), "always", "ulp").decisions
    assert decision.verdict == "refused" and decision.witness is not None
    assert decision.witness.before < decision.witness.after


def test_two_values_at_once() -> None:
    (decision,) = place(two_values(), "always").decisions
    assert decision.condition == "one data input" and "2 values" in decision.reason


def test_a_pool_behind_a_convolution_or_an_input_is_not_a_site() -> None:
    assert place(chain(convolution.Conv(4, (3, 3)), TWO), "always").decisions == ()
    assert place(chain(TWO), "always").decisions == ()


def test_concat_says_so() -> None:
    graph = Graph()
    x = graph.add_input("x", TensorType("f32", WINDOW))
    joined = graph.add(Concat(1), [graph.add(piecewise.Relu(), [x]), graph.add(smooth.Sigmoid(), [x])])
    graph.results["y"] = graph.add(TWO, [joined])
    decisions = place(graph, "always").decisions
    assert [(d.law, d.verdict) for d in decisions] == [("concat", "moved"), ("up", "moved"), ("up", "moved")]


def test_integers_that_only_compare_may_move() -> None:
    for op in (piecewise.Relu(), piecewise.Clip(-3, 100), piecewise.Sign(), arithmetic.Maximum(5.0)):
        (decision,) = place(chain(op, TWO, dtype="i8"), "always").decisions
        assert decision.verdict == "moved", decision


def test_zero_signs_matter_only_where_zeros_are() -> None:
    def verdict(*ops: Op) -> str:
        return place(chain(*ops, shape=WINDOW), "always").decisions[0].verdict

    assert verdict(piecewise.Clip(1.0, 2.0), TWO, smooth.Reciprocal()) == "moved"
    assert verdict(arithmetic.Ceil(), TWO, smooth.Sigmoid()) == "moved", "1 + exp(-x) is never 0"
    assert verdict(arithmetic.Ceil(), TWO, Softmax()) == "moved"
    assert verdict(arithmetic.Ceil(), TWO, piecewise.Relu(), arithmetic.Add(1.0), smooth.Reciprocal()) == "moved"
    assert verdict(arithmetic.Ceil(), TWO, arithmetic.Add(1.0), smooth.Rsqrt()) == "refused"


def test_an_input_range_proves_what_is_unknown_without_it() -> None:
    for op in (smooth.Reciprocal(), smooth.Rsqrt(), smooth.Silu()):
        assert place(chain(op, TWO), "always").decisions[0].verdict == "refused"
        assert place(chain(op, TWO, range=(0.5, 3.0)), "always").decisions[0].verdict == "moved"


def test_a_range_reaches_through_a_convolution() -> None:
    positive = {"weight": np.full((), 0.1), "bias": np.full((), 0.5)}
    ops = (convolution.Conv(2, (3, 3), pad=(1, 1, 1, 1)), smooth.Reciprocal(), AdaptiveMaxPool((2, 2)))
    (decision,) = place(chain(*ops, range=(0.0, 1.0), weights=positive), "always").decisions
    assert (decision.verdict, decision.law) == ("moved", "down")
    (decision,) = place(chain(*ops, weights=positive), "always").decisions
    assert decision.verdict == "refused"


def test_auto_asks_the_price_and_never_keeps() -> None:
    pay, free = chain(piecewise.Relu(), TWO), chain(piecewise.Relu(), MaxPool((3, 3), (1, 1), (1, 1, 1, 1)))
    assert place(pay, "auto").decisions[0].verdict == "moved"
    (kept,) = place(free, "auto").decisions
    assert kept.verdict == "kept" and kept.reason.startswith("saves nothing") and kept.proof is not None
    (kept,) = place(pay, "never").decisions
    assert (kept.verdict, kept.reason) == ("kept", "place=never") and kept.proof is not None
    assert place(free, "always").decisions[0].verdict == "moved"


def test_no_weight_is_read_without_need() -> None:
    block = [convolution.Conv(4, (3, 3)), piecewise.Relu(), TWO]
    graph = chain(*block, *block, shape=(1, 3, 16, 16), range=(0.0, 1.0))
    place(graph, "always")
    assert not graph.weights.drawn
    assert isinstance(graph["x"].op, Input)


def test_many_channels_are_analysed_in_groups() -> None:
    import time

    scales = np.linspace(0.1, 3, 512)
    graph = chain(arithmetic.BatchNorm(), piecewise.Relu(), TWO, shape=(1, 512, 4, 4), weights={"scale": scales})
    start = time.perf_counter()
    assert place(graph, "always").decisions[0].verdict == "moved"
    assert time.perf_counter() - start < 0.5


def test_zero_times_a_range_without_end_is_refused_quietly() -> None:
    graph = cnnir.parse("network n(x: f32[1, 2, 4, 4] in [0, 1]) { x -> rsqrt -> avgpool(1) -> mul(0) -> avgpool(2) }")
    decision = place(graph, "always", "ulp", nan="strict").decisions[-1]
    assert (decision.verdict, decision.law, decision.condition) == ("refused", "affine", "no overflow")
