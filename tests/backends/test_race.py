"""The timing method on a fake clock, and the comparison of outputs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cnnir.backends.agree import compare
from cnnir.backends.race import race, summarize, time_calls


class Track:
    """Contestants whose runs take what they are told, on a machine that gets slower round by round."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.slowness = 1.0

    def slow_down(self) -> None:
        self.slowness *= 1.01

    def contestant(self, name: str, seconds: float):
        def run(count: int) -> list[float]:
            self.calls.append((name, count))
            return [seconds * self.slowness] * count

        return run


def test_turns_rotate_and_the_first_run_is_thrown_away():
    track = Track()
    blocks: list[None] = []
    entries = {n: track.contestant(n, 1.0) for n in "abc"}
    race(entries, rounds=2, runs=5, baseline="a", progress=lambda: blocks.append(None))
    assert track.calls == [(n, c) for n in "abcbca" for c in (1, 5)]
    assert len(blocks) == 6


def test_ratios_are_taken_within_a_round():
    track = Track()
    entries = {"slow": track.contestant("slow", 2.0), "fast": track.contestant("fast", 1.0)}
    result = race(entries, 4, 3, "slow", track.slow_down)
    ratio = result.standings["fast"].ratio
    assert ratio is not None and ratio.n == 4
    assert ratio.median == pytest.approx(0.5, rel=0.02)  # though the machine slowed down by 8 %
    assert not ratio.unclear
    assert result.standings["slow"].ratio is None
    assert len(result.standings["slow"].rounds) == 4


def test_noise_is_flagged():
    noisy = summarize({"a": [[1.0], [1.0], [1.0]], "b": [[0.9], [1.0], [1.2]]}, 1, "a").standings["b"].ratio
    clear = summarize({"a": [[1.0], [1.0], [1.0]], "b": [[0.50], [0.51], [0.52]]}, 1, "a").standings["b"].ratio
    assert noisy is not None and noisy.unclear and "spread" in str(noisy)
    assert clear is not None and not clear.unclear and clear.median == pytest.approx(0.51)
    assert summarize({"a": [[1.0]], "b": [[4.0]]}, 1, None).ratio("b", "a").median == 4.0
    assert clear.low == pytest.approx(0.502) and clear.high == pytest.approx(0.518)


def test_medians_and_json():
    result = summarize({"a": [[1.0, 9.0, 2.0], [3.0, 4.0, 5.0]], "b": [[2.0] * 3] * 2}, 3, "a")
    assert result.standings["a"].median == 3.5 and result.standings["a"].rounds == (2.0, 4.0) and result.standings["a"].fastest == 1.0
    data = json.loads(json.dumps(result.json()))
    assert data["baseline"] == "a" and data["standings"]["b"]["ratio"]["median"] == 0.75 and data["standings"]["a"]["ratio"] is None


def test_time_calls_reads_the_clock_around_each_call():
    ticks = iter([0.0, 1.0, 10.0, 13.0])
    calls: list[None] = []
    assert time_calls(lambda: calls.append(None), lambda: next(ticks))(2) == [1.0, 3.0]
    assert len(calls) == 2


def test_bad_races_are_refused():
    one = {"a": time_calls(lambda: None)}
    for arguments in ((one, 0, 1, None), (one, 1, 0, None), (one, 1, 1, "b"), ({"a": lambda n: [1.0]}, 1, 2, None)):
        with pytest.raises(ValueError):
            race(*arguments)


def test_agreement():
    a = {"y": np.array([1.0, -4.0, np.nan, np.inf])}
    b = {"y": np.array([1.0, -4.0004, np.nan, np.inf])}
    assert compare(a, a, 0.0)
    assert compare(a, b, 1e-3) and not compare(a, b, 1e-5)
    assert compare(a, b, 1e-3).difference == pytest.approx(1e-4, rel=1e-3)
    assert not compare(a, {"z": a["y"]}, 1.0) and not compare(a, {"y": a["y"][:2]}, 1.0)
    assert not compare(a, {"y": np.array([1.0, -4.0, 0.0, np.inf])}, 1.0)
    assert not compare(a, {"y": np.array([1.0, -4.0, np.nan, -np.inf])}, 1.0)
    assert compare({"y": np.zeros((0, 3))}, {"y": np.zeros((0, 3))}, 0.0) and compare({"y": np.zeros(3)}, {"y": np.zeros(3)}, 0.0)
    assert "disagree" in str(compare(a, b, 1e-5))
