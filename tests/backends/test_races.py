"""`conv=measure`: the clock decides once, and its records are reused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import cnnir
from cnnir.backends.tvm import races
from cnnir.backends.tvm.kernels.geometry import ConvGeometry
from cnnir.backends.tvm.kernels.winograd import Tiling
from cnnir.backends.tvm.races import Raced

BODY = "x -> conv(16, 3, pad=1) -> relu -> maxpool(2) -> conv(16, 1)"
NET = f"network n(x: f32[1, 16, 24, 24]) {{ {BODY} }}"


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> list[list[float]]:
    """What the clock says, one list a race; the races that are not listed are really run."""
    given: list[list[float]] = []
    run = Raced._race  # type: ignore[reportPrivateUsage]

    def race(self: Raced, conv: ConvGeometry, candidates: Sequence[Tiling | None]) -> list[float]:
        return given.pop() if given else run(self, conv, candidates)

    monkeypatch.setattr(Raced, "_race", race)
    return given


def records(cache: Path) -> list[dict[str, object]]:
    return [json.loads(p.read_text())["found"] for p in sorted((cache / races.RECORDS).glob("*.json"))]


def test_a_race_is_run_once_and_its_answer_is_right(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = cnnir.parse(NET)
    x = np.random.default_rng(0).standard_normal((1, 16, 24, 24), np.float32)
    expected = next(iter(cnnir.evaluate(graph, {"x": x}).values()))
    (found,) = cnnir.compile(graph, conv="measure")({"x": x}).values()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    (record,) = records(cache)  # of the 3x3 convolution; 1x1 has one algorithm
    assert isinstance(record["seconds"], dict) and len(record["seconds"]) >= 4
    monkeypatch.setattr(Raced, "_race", lambda *_: pytest.fail("raced again"))
    (again,) = cnnir.compile(graph, conv="measure")({"x": x}).values()
    assert np.array_equal(found, again)


@pytest.mark.parametrize(("share", "fastest"), [(1.0, "direct"), (0.97, "direct"), (0.5, "winograd F(4x4)")])
def test_winograd_must_be_worth_its_error(times: list[list[float]], cache: Path, share: float, fastest: str) -> None:
    times.append([1.0, 2.0, 2.0, share, 2.0, 2.0, 2.0])
    cnnir.compile(cnnir.parse(NET), conv="measure")
    (record,) = records(cache)
    assert str(record["fastest"]).startswith(fastest)


def test_records_are_of_a_number_of_threads(times: list[list[float]], cache: Path) -> None:
    times += [[1.0] * 7, [1.0] * 7]
    for threads in (1, 2):
        cnnir.compile(cnnir.parse(NET), conv="measure", threads=threads)
    assert len(records(cache)) == 2


def test_what_rides_along_has_no_say(times: list[list[float]], cache: Path) -> None:
    """A moved and an unmoved network compute the same bits."""
    times.append([1.0, 2.0, 2.0, 0.5, 2.0, 2.0, 2.0])
    x = np.random.default_rng(0).standard_normal((1, 16, 24, 24), np.float32)
    bodies = [BODY, BODY.replace("relu -> maxpool(2)", "maxpool(2) -> relu")]
    (first,), (second,) = (cnnir.compile(cnnir.parse(NET.replace(BODY, b)), conv="measure")({"x": x}).values() for b in bodies)
    assert len(records(cache)) == 1
    assert np.array_equal(first, second)


def test_a_damaged_record_is_measured_again(times: list[list[float]], cache: Path) -> None:
    times.append([1.0] * 7)
    cnnir.compile(cnnir.parse(NET), conv="measure")
    (path,) = (cache / races.RECORDS).glob("*.json")
    path.write_text(path.read_text().replace('"direct",', '"of old",', 1))
    times.append([1.0] * 7)
    cnnir.compile(cnnir.parse(NET), conv="measure")
    assert not times
    assert records(cache)[0]["fastest"] == "direct"


def test_measuring_is_for_cpus() -> None:
    with pytest.raises(cnnir.CnnirError, match="C0509"):
        cnnir.compile(cnnir.parse(NET), target="cuda", conv="measure")


def test_orders_are_raced_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = cnnir.parse("network n(x: f32[1, 4, 8, 8]) { x -> conv(4, 1) -> relu -> maxpool(2) }")
    first = cnnir.optimize(graph, place="measure")
    assert len([*(cache / "orders").iterdir()]) == 1
    monkeypatch.setattr("cnnir.backends.tvm.measure.race", lambda *_: pytest.fail("raced again"))
    again = cnnir.optimize(cnnir.parse(cnnir.dumps(graph)), place="measure")
    assert [d.reason for d in again.decisions] == [d.reason for d in first.decisions]
    assert again.graph == first.graph
