"""Where intermediate results lie: nothing overlaps that is alive at once, and little room is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnnir
from cnnir.backends.tvm.arena import arrange, least, lifetimes
from cnnir.backends.tvm.compile import planned
from cnnir.backends.tvm.plan import Buffer, KernelCall, Plan
from cnnir.backends.tvm.runner import ALIGNMENT
from cnnir.backends.tvm.targets import TargetSpec
from cnnir.feeds import random_feeds
from cnnir.testing import light


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Calls that read any earlier results, some of which the network hands out."""
    plan = Plan({"x": Buffer("x0", (draw(st.integers(0, 9)),))})
    made = [*plan.inputs.values()]
    for i in range(draw(st.integers(0, 12))):
        operands = draw(st.lists(st.sampled_from(made), max_size=3))
        output = Buffer(f"b{i}", (draw(st.integers(0, 200)),), draw(st.sampled_from(["float32", "uint8", "float64"])))
        plan.calls.append(KernelCall(i, lambda _: pytest.fail("built"), tuple(operands), output))
        made.append(output)
    results = draw(st.lists(st.sampled_from(made), max_size=4))
    plan.outputs = {f"y{i}": buffer for i, buffer in enumerate(results)}
    return plan


@given(plans())
def test_what_is_alive_at_once_does_not_overlap(plan: Plan) -> None:
    arena = arrange(plan)
    handed_out = {b.name for b in plan.outputs.values()}
    inside = [a for a in lifetimes(plan) if a.buffer.name not in handed_out]
    assert arena.offsets.keys() == {a.buffer.name for a in inside}
    for i, one in enumerate(inside):
        start = arena.offsets[one.buffer.name]
        assert start % ALIGNMENT == 0
        assert start + one.buffer.bytes <= arena.bytes
        for other in inside[:i]:
            begin = arena.offsets[other.buffer.name]
            apart = one.last < other.first or other.last < one.first
            assert apart or start + one.buffer.bytes <= begin or begin + other.buffer.bytes <= start


@given(plans())
def test_no_arrangement_takes_less_than_the_bound(plan: Plan) -> None:
    """Of intermediate results and outputs together; the arena alone may."""
    assert arrange(plan).bytes + sum(b.bytes for b in plan.results) >= least(plan)


def test_what_is_read_later_stays() -> None:
    a, b, c, d = (Buffer(name, (64,)) for name in "abcd")
    calls = [((), a), ((a,), b), ((b,), c), ((a, c), d)]
    plan = Plan(calls=[KernelCall(o.name, lambda _: pytest.fail("built"), read, o) for read, o in calls], outputs={"y": d})
    arena = arrange(plan)
    assert arena.offsets == {"a": 0, "b": 256, "c": 512}
    assert (arena.bytes, least(plan)) == (768, 768)  # a, b and c while c is filled; then a, c and d


@pytest.mark.parametrize("path", sorted(light.folder().glob("*.onnx")), ids=lambda p: p.stem)
def test_networks_take_little_more_than_the_bound(path) -> None:  # type: ignore[no-untyped-def]
    plan, _ = planned(cnnir.load(path), TargetSpec("llvm"))
    assert arrange(plan).bytes + sum(b.bytes for b in plan.results) <= 1.15 * least(plan)


@pytest.mark.parametrize(
    "body",
    [
        "return x",
        "y = x -> relu; return x, y",
        "y = x -> conv(4, 3, pad=1); z = y -> relu; w = z -> add(y) -> maxpool(2); return y, w",
        "a = x -> cast(f16) -> exp; b = a -> cast(u8) -> cast(f64); c = x -> cast(f64); c -> add(b) -> softmax",
        "a = x -> maxpool(3, stride=1); b = x -> slice([0, 0, 1, 1], [1, 4, 7, 7]) -> sub(a); a -> mul(b) -> reduce_sum([1, 2, 3])",
    ],
)
def test_programs_compute_the_same_at_any_offset(body: str) -> None:
    graph = cnnir.parse(f"network n(x: f32[1, 4, 8, 8]) {{ {body} }}")
    feeds = random_feeds(graph.inputs, graph.ranges)
    program, expected = cnnir.compile(graph), cnnir.evaluate(graph, feeds)
    for _ in range(2):  # the second run finds what the first has left behind
        found = program(feeds)
        for name, array in expected.items():
            np.testing.assert_allclose(found[name].astype(np.float64), array.astype(np.float64), rtol=1e-3, atol=1e-5)
    assert program.work.memory >= program.work.least_memory
