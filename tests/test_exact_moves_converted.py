"""Conversions in front of pools, moved and unmoved, in the reference and compiled: the same bits four times."""

from __future__ import annotations

import numpy as np
import pytest

import cnnir
from cnnir.testing import bits, feeds

MOVED = {
    "f32": ["cast(f16)", "cast(f64)", "cast(bf16)", "quantize(0.1, 3)", "quantize([0.1, 7], [0, -9], to=i8)", "quantize(0.3, to=i16) -> relu",
            "quantize(9, 40000, to=u16) -> dequantize(0.3, 3, to=f16)", "cast(f16) -> relu -> quantize(0.5)"],
    "f32 in [-100, 100]": ["cast(i8)", "cast(i8) -> neg", "mul(3) -> cast(i16)", "cast(i32) -> mul(-7) -> cast(f32)", "quantize(1, to=i8) -> cast(i16) -> neg"],
    "f32 in [0, 200]": ["cast(u8)", "cast(u64)", "quantize(1) -> dequantize(0.1)", "cast(i64) -> add(1) -> cast(f32) -> sqrt"],
    "f16": ["cast(f32)", "quantize(0.1, 3)", "quantize(0.1, -300, to=i16)"],
    "u8": ["dequantize(0.1, 3)", "dequantize([0.1, 0.3], [3, 200]) -> relu", "cast(i8) -> cast(f32)", "cast(i16) -> neg", "cast(f64)", "dequantize(0.1, to=f16)"],
    "i8": ["dequantize(0.1, -3) -> relu", "cast(f32) -> mul(-2)", "cast(i32) -> neg", "relu", "cast(i32) -> mul(1000) -> add(7) -> abs -> cast(f32) -> sqrt"],
    "i8 in [-127, 127]": ["neg", "neg -> dequantize(0.1)"],
    "i32": ["cast(f32)", "dequantize(0.001, 7)", "cast(f16)", "cast(i64) -> neg -> cast(f64)"],
    "i64": ["cast(f32)", "cast(f64)"],
    "u64": ["cast(f32)"],
}  # fmt: skip
STAY = {"u8": ["cast(i8) -> cast(f32)"], "i8": ["cast(i32) -> mul(1000) -> add(7) -> abs -> cast(f32) -> sqrt"]}
"""What is not monotone, so that only a part of it, or nothing, moves."""
POOLS = ["maxpool(2)", "minpool(3, stride=2, pad=1)"]


@pytest.mark.parametrize("source", MOVED)
def test_moved_equals_unmoved_in_the_reference_and_compiled(source: str) -> None:
    dtype, _, range = source.partition(" ")
    sites = [f"x -> {layers} -> {pool}" for layers in MOVED[source] for pool in POOLS]
    body = "; ".join(f"y{i} = {site}" for i, site in enumerate(sites))
    names = ", ".join(f"y{i}" for i in np.arange(len(sites)))
    graph = cnnir.parse(f"network n(x: {dtype}[1, 2, 8, 8] {range}) {{ {body}; return {names} }}")
    done = cnnir.optimize(graph, place="always")
    moved = {d.site.pool for d in done.decisions if d.verdict == "moved"}
    wanted = len(sites) - len(POOLS) * len(STAY.get(source, ()))
    assert len(moved) >= wanted, [d for d in done.decisions if d.verdict != "moved"]
    programs = [cnnir.compile(g, threads=1) for g in (graph, done.graph)]
    for feed in feeds(graph):
        answers = [cnnir.evaluate(graph, feed), cnnir.evaluate(done.graph, feed), *(program(feed) for program in programs)]
        for name in graph.outputs:
            for other in answers[1:]:
                assert answers[0][name].dtype == other[name].dtype
                np.testing.assert_array_equal(bits(answers[0][name]), bits(other[name]), err_msg=f"{name} of {sites}")
