"""What pass authors test with: it must notice."""

from __future__ import annotations

from pathlib import Path

import pytest

import cnnir
from cnnir.testing import assert_equivalent
from cnnir.testing.textual import outcome, passes

HEAD = "network n(x: f32[1, 2, 4, 4]) {"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("abs -> maxpool(2)", "maxpool(2) -> abs"),
        ("leaky(-0.41) -> maxpool(2)", "maxpool(2) -> leaky(-0.41)"),
        ("silu -> minpool(2)", "minpool(2) -> silu"),
        ("relu -> abs", "relu -> mul(1.0000001)"),
    ],
)
def test_a_wrong_rewrite_is_noticed(before: str, after: str) -> None:
    one, two = (cnnir.parse(f"{HEAD} x -> {chain} }}") for chain in (before, after))
    with pytest.raises(AssertionError, match="differs at"):
        assert_equivalent(one, two)


def test_a_bound_is_a_bound() -> None:
    one, two = (cnnir.parse(f"{HEAD} x -> clip(0, 1) -> add({c}) }}") for c in ("1", "1.25"))
    assert assert_equivalent(one, two, "ulp", bound=0.2501)
    with pytest.raises(AssertionError):
        assert_equivalent(one, two, "ulp", bound=0.2)
    with pytest.raises(ValueError):
        assert_equivalent(one, two, "ulp")


def test_run_lines() -> None:
    assert len(passes("# RUN: place{place=always, exactness=ulp}, place")) == 2
    for wrong in ("place{place=always", "plaice", "place{place=sometimes}"):
        with pytest.raises(cnnir.CnnirError):
            passes(f"# RUN: {wrong}")


def test_a_wrong_run_line_is_never_what_was_expected(pytester: pytest.Pytester) -> None:
    pytester.makefile(".cnn", wrong="# RUN: plaice\nnetwork n(x: f32[1, 2]) { x -> relu }\n")
    done = pytester.runpytest_subprocess("-p", "cnnir.testing.plugin", "-p", "no:cacheprovider", "--update-expected")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*C0510*plaice*"])
    assert not list(pytester.path.glob("*.expected"))


def test_a_refused_text_gives_its_diagnostic(tmp_path: Path) -> None:
    (tmp_path / "wrong.cnn").write_text("# RUN: place\nnetwork n(x: f32[1, 2]) { x -> reluu }\n")
    assert "C0211" in outcome(tmp_path / "wrong.cnn").text


def test_another_text_fails_and_the_flag_mends_it(tmp_path: Path, pytester: pytest.Pytester) -> None:
    pytester.makefile(".cnn", up="# RUN: place{place=always}\nnetwork n(x: f32[1, 2, 4, 4]) { x -> relu -> maxpool(2) }\n")
    pytester.makefile(".expected", up="another")
    run = ("-p", "cnnir.testing.plugin", "-p", "no:cacheprovider")
    pytester.runpytest_subprocess(*run).assert_outcomes(failed=1)
    pytester.runpytest_subprocess(*run, "--update-expected").assert_outcomes(passed=1)
    pytester.runpytest_subprocess(*run).assert_outcomes(passed=1)
