"""`cnnir.verify`: the checker and the runs together, and the verb."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import cnnir
from cnnir.cli import run_command
from cnnir.decisions import Optimized
from cnnir.ir.graph import Graph
from cnnir.ops.pooling import MinPool
from cnnir.passes.laws.order import OrderLaw
from cnnir.passes.place import place

MIXED = """\
network mixed(x: f32[1, 4, 12, 12] in [-1, 1]) {
    x -> conv(9, 1) -> scale -> relu -> maxpool(2) -> silu -> conv(2, 1) -> avgpool(2)
}
"""


@pytest.fixture
def mixed() -> Graph:
    return cnnir.parse(MIXED)


@pytest.mark.parametrize("exactness", ["exact", "ulp"])
def test_a_network_is_verified(mixed: Graph, exactness: str) -> None:
    done = cnnir.verify(mixed, place="always", exactness=exactness, runs=6)  # type: ignore[arg-type]
    assert done.ok and done.report.verdict == "confirmed" and not done.unconfirmed
    (runs,) = done.runs
    assert runs.compared + runs.skipped == 6 and runs.compared and runs.mismatch is None
    assert json.dumps(done.to_json(), allow_nan=False)


def test_compiled_too(mixed: Graph) -> None:
    done = cnnir.verify(mixed, place="always", runs=2, target="llvm")
    assert done.ok and [runs.runner for runs in done.runs] == ["reference", "llvm"]


def test_a_wrong_pool_is_found_by_the_checker_and_by_running(mixed: Graph) -> None:
    done = place(mixed, "always")
    graph = done.graph.copy()
    graph.revise("maxpool1", op=MinPool((2, 2), (2, 2)))
    found = cnnir.verify(mixed, optimized=Optimized(graph, done.decisions), runs=4)
    assert not found.ok and found.report.verdict == "refuted"


def test_a_wrong_move_is_shown_with_its_site_and_data(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = cnnir.parse("network n(x: f32[1, 2, 6, 6] in [-3, 3]) { x -> relu -> maxpool(2) -> cos -> maxpool(3) }")
    monkeypatch.setattr(OrderLaw, "conditions", {})
    done = cnnir.verify(graph, place="always", runs=4)
    (runs,) = done.runs
    assert not done.ok and runs.mismatch is not None
    assert "cos1" in runs.mismatch.where and runs.mismatch.before != runs.mismatch.after and len(runs.mismatch.window) == 9


def test_a_bound_too_small_is_found_by_running() -> None:
    graph = cnnir.parse("network n(x: f32[1, 2, 6, 6] in [-3, 3]) { x -> mul(0.1) -> avgpool(2) }")
    done = place(graph, "always", "ulp")
    (decision,) = done.decisions
    assert decision.certificate
    forged = replace(decision, certificate=replace(decision.certificate, bound=1e-12))
    found = cnnir.verify(graph, optimized=Optimized(done.graph, (forged,)), runs=4)
    assert not found.ok and found.runs[0].mismatch and found.runs[0].mismatch.allowed == 1e-12
    assert found.report.verdict == "could not confirm"


def test_data_that_break_the_contract_are_counted() -> None:
    graph = cnnir.parse("network n(x: f32[1, 2, 4, 4]) { x -> exp -> exp -> relu -> maxpool(2) -> square -> maxpool(2) }")
    (runs,) = cnnir.verify(graph, place="always", runs=8).runs
    assert runs.compared + runs.skipped == 8


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mixed.cnn"
    path.write_text(MIXED)
    assert run_command(["verify", str(path), "--place", "always", "--runs", "2"]) == 0
    text = capsys.readouterr().out
    assert "confirmed         channel: scale1 -> relu1 -> maxpool1" in text and "0 refuted" in text and "reference: 2 sets of data" in text
    assert run_command(["verify", str(path), "--runs", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "cnnir.verify/1" and document["ok"] is True
    assert run_command(["verify", str(path), "--runs", "-1"]) == 2
    capsys.readouterr()
    monkeypatch.setattr(OrderLaw, "conditions", {})
    (tmp_path / "bad.cnn").write_text("network n(x: f32[1, 2, 6, 6] in [-3, 3]) { x -> cos -> maxpool(2) }")
    assert run_command(["verify", str(tmp_path / "bad.cnn"), "--place", "always", "--runs", "2"]) == 1
    text = capsys.readouterr().out
    assert "refuted" in text and "differ" in text
