"""Compiled code is kept, and found again by all that it depends on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cnnir
from cnnir.backends.tvm import compile as compiling
from cnnir.backends.tvm import libraries
from cnnir.backends.tvm.compile import planned
from cnnir.backends.tvm.plan import Plan
from cnnir.backends.tvm.targets import TargetSpec
from cnnir.ir.graph import Graph

NET = "network n(x: f32[1, 16, 12, 12]) {{ x -> conv(16, 3, pad=1) -> {body} -> maxpool(2) -> batchnorm -> softmax }}"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The plans that code was generated for."""
    found: list[Plan] = []
    build = compiling.build_llvm

    def counted(plan: Plan, target: object) -> object:
        found.append(plan)
        return build(plan, target)

    monkeypatch.setattr(compiling, "build_llvm", counted)
    return found


def network(body: str = "relu") -> Graph:
    return cnnir.parse(NET.format(body=body))


def key(graph: Graph, target: str = "llvm", conv: str = "auto") -> str | None:
    plan, _ = planned(graph, TargetSpec("llvm"), conv=conv)  # type: ignore[arg-type]
    return libraries.key(plan, target)


def test_the_second_compilation_generates_nothing(built: list[Plan]) -> None:
    x = np.random.default_rng(0).standard_normal((1, 16, 12, 12), np.float32)
    first = cnnir.compile(network())({"x": x})
    assert len(built) == 1
    second = cnnir.compile(network())({"x": x})
    assert len(built) == 1
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_other_weights_share_the_code(built: list[Plan]) -> None:
    """Weights are arguments: a network that was trained on is not compiled again."""
    x = np.random.default_rng(0).standard_normal((1, 16, 12, 12), np.float32)
    text = "network n(x: f32[1, 16, 12, 12]) {{ x -> conv(16, 3, pad=1, weight={key!r}) -> relu }}"
    graphs = [cnnir.parse(text.format(key=key).replace("'", '"')) for key in ("a", "b")]
    (one,), (other,) = (cnnir.compile(g)({"x": x}).values() for g in graphs)
    assert len(built) == 1
    assert not np.array_equal(one, other)
    np.testing.assert_allclose(other, next(iter(cnnir.evaluate(graphs[1], {"x": x}).values())), rtol=1e-4, atol=1e-4)


def test_whatever_changes_the_code_changes_the_key() -> None:
    keys = [
        key(network()),
        key(network("sigmoid")),
        key(network("leaky(0.1)")),
        key(network("leaky(0.2)")),
        key(network("add(0.0)")),
        key(network("add(-0.0)")),
        key(network(), conv="winograd"),
        key(network(), target="llvm -mcpu=other"),
    ]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert key(network()) == keys[0]


def test_a_damaged_library_is_compiled_again(built: list[Plan], cache: Path) -> None:
    cnnir.compile(network())
    (kept,) = (cache / "libraries").glob("*.so")
    content = kept.read_bytes()
    kept.write_bytes(content[: len(content) // 2])
    x = np.ones((1, 16, 12, 12), np.float32)
    assert cnnir.compile(network())({"x": x})
    assert len(built) == 2


def test_those_not_used_for_longest_go(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(libraries, "MOST_BYTES", 250)
    for name in ("first", "second", "third"):
        libraries.keep(name, name.encode() * 20)
    assert libraries.find("third") == b"third" * 20
    assert sum(p.stat().st_size for p in (cache / "libraries").iterdir()) <= 250


def test_a_cache_that_cannot_be_written_costs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CNNIR_CACHE", str(tmp_path / "file"))
    assert cnnir.compile(network())({"x": np.ones((1, 16, 12, 12), np.float32)})
