"""Calibration: what is measured is plausible, kept, and asked by prices and choices."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import cnnir
from cnnir.backends.tvm import calibrate as calibrating
from cnnir.backends.tvm import machine
from cnnir.backends.tvm.calibrate import calibrate
from cnnir.backends.tvm.targets import TargetSpec
from cnnir.calibration import Calibration

LLVM = TargetSpec("llvm")
MADE_UP = Calibration(threads=2, flops=2e9, flops_one=1e9, bytes=1e9, bytes_one=1e9)


def test_what_is_measured_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrating, "REPEATS", 1000)
    monkeypatch.setattr(calibrating, "STREAMED", 1 << 22)
    assert machine.known(LLVM) is None
    found = calibrate(LLVM)
    assert machine.known(LLVM) == found
    assert 1e9 < found.flops_one < 1e13  # no CPU with a vector unit is slower, no core is faster
    assert 1e8 < found.bytes_one < 1e13
    assert machine.known(TargetSpec("llvm", "haswell")) is None
    assert machine.known(TargetSpec("cuda")) is None


def test_a_price_is_in_seconds_on_a_machine_that_was_measured() -> None:
    graph = cnnir.parse("network n(x: f32[1, 4, 8, 8]) { x -> conv(4, 3, pad=1) -> relu -> maxpool(2) }")
    (counted,) = cnnir.optimize(graph).decisions
    assert "operations before" in counted.reason
    machine.keep(LLVM, MADE_UP)
    (timed,) = cnnir.optimize(graph).decisions
    assert timed.verdict == "moved"
    assert "an estimated 0.512 us before, 0.32 us after" in timed.reason  # (256 relu + 256 pooled) and (64 + 256) at 1e9 a second


def test_a_byte_from_memory_in_cycles() -> None:
    """16 floats an fma, 32 operations: 1e9 / 32 cycles a second, while both threads share 1e9 bytes a second."""
    assert MADE_UP.memory_cycles(16) == pytest.approx(2 / 32)


@pytest.mark.parametrize("damage", ['"flops": "fast"', '"flops": -1', '"flops": NaN', '"other": 1'])
def test_a_damaged_record_is_no_record(cache: Path, damage: str) -> None:
    machine.keep(LLVM, MADE_UP)
    (path,) = (cache / "machines").glob("*.json")
    assert machine.known(LLVM) == MADE_UP
    path.write_text(path.read_text().replace('"flops": 2000000000.0', damage))
    assert machine.known(LLVM) is None


def test_a_file_that_is_no_json_is_said_once(cache: Path) -> None:
    machine.keep(LLVM, MADE_UP)
    (path,) = (cache / "machines").glob("*.json")
    path.write_text("{")
    with pytest.warns(UserWarning, match="C0516"):
        assert machine.known(LLVM) is None
    assert json.loads(path.with_name(path.name).read_text() + "}") == {}
