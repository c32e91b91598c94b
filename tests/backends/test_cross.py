"""Code for other machines and older CPUs: what can run here is right, what cannot says so."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import cnnir
from cnnir.backends.tvm import build
from cnnir.backends.tvm.target import lanes, llvm_target
from cnnir.backends.tvm.targets import parse_target
from cnnir.feeds import random_feeds

ARM = "llvm -mtriple=aarch64-linux-gnu -mcpu=neoverse-n1"
NET = "network n(x: f32[1, 8, 16, 16]) { x -> conv(16, 3, pad=1) -> sigmoid -> maxpool(2) -> flatten -> fc(10) -> softmax }"
needs_linker = pytest.mark.skipif(
    shutil.which("aarch64-linux-gnu-gcc") is None and find_spec("ziglang") is None, reason="no linker for aarch64 is installed"
)

BODIES = {
    "winograd": "x -> conv(32, 3, pad=1) -> relu -> conv(32, 3, pad=1) -> sigmoid -> maxpool(2)",
    "strided": "x -> conv(24, 5, stride=2, pad=2) -> tanh -> maxpool(3, stride=2)",
    "depthwise": "x -> depthwise(3, pad=1) -> batchnorm -> hardswish -> conv(24, 1) -> avgpool(2)",
    "grouped": "x -> conv(32, 3, groups=4) -> elu -> lrn(5, alpha=0.0001, beta=0.75, bias=1) -> global_avgpool",
    "dense": "x -> maxpool(4) -> flatten -> fc(33) -> silu -> fc(10) -> softmax",
}
"""One of every kernel that has a template."""


OLDER = [("haswell", body, "auto") for body in BODIES]
OLDER += [("haswell", "winograd", "direct"), ("x86-64-v2", "winograd", "auto"), ("x86-64-v2", "grouped", "auto")]


@pytest.mark.parametrize(("mcpu", "body", "conv"), OLDER)
def test_older_cpus_compute_the_same(mcpu: str, body: str, conv: str) -> None:
    graph = cnnir.parse(f"network n(x: f32[2, 16, 20, 20]) {{ {BODIES[body]} }}")
    feeds = random_feeds(graph.inputs, graph.ranges)
    expected = cnnir.evaluate(graph, feeds)
    moved = cnnir.optimize(graph, place="always").graph
    answers = [cnnir.compile(g, f"llvm -mcpu={mcpu}", conv=conv)(feeds) for g in (graph, moved)]  # type: ignore[arg-type]
    for name, array in expected.items():
        np.testing.assert_allclose(answers[0][name], array, rtol=2e-5, atol=2e-5)
        assert np.array_equal(answers[0][name], answers[1][name])


def test_a_triple_names_the_machine() -> None:
    spec = parse_target(ARM)
    assert (spec.machine, str(spec)) == ("aarch64", ARM)
    assert lanes(llvm_target(spec)) == 4
    assert str(llvm_target(parse_target("llvm -mtriple=aarch64-linux-gnu")).attrs["mcpu"]) == "generic"


@needs_linker
def test_a_package_for_another_machine(tmp_path: Path) -> None:
    program = cnnir.compile(cnnir.parse(NET), ARM)
    assert program.manifest.target == ARM
    assert program.library.read_bytes()[18:20] == b"\xb7\x00"  # ELF's EM_AARCH64
    with pytest.raises(cnnir.CnnirError, match="another machine") as caught:
        program({"x": np.zeros((1, 8, 16, 16), np.float32)})
    assert caught.value.exit_code == 3
    program.save(tmp_path / "arm.cnnpkg")
    with pytest.raises(cnnir.CnnirError, match="C0504"):
        cnnir.load_program(tmp_path / "arm.cnnpkg")


def test_without_a_linker_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.shutil, "which", lambda _name: None)
    monkeypatch.setattr(build, "find_spec", lambda _name: None)
    with pytest.raises(cnnir.CnnirError, match="no C compiler that links for aarch64") as caught:
        cnnir.compile(cnnir.parse(NET), ARM)
    assert caught.value.exit_code == 3
    assert "cnnir[cross]" in str(caught.value.diagnostics[0].help)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("llvm -mtriple=aarch46-linux-gnu", "`aarch64`"),
        ("llvm -mtriple=pdp11", "a triple begins with"),
        ("llvm -mtriple=aarch64-linux-gnu -mcpu=neoverse-n11", "neoverse-n1"),
        ("llvm -mtriple=", "malformed target"),
        ("llvm -mcpu=pentium3", "no 64-bit CPU"),
    ],
)
def test_machines_and_cpus_nobody_knows(target: str, said: str) -> None:
    with pytest.raises(cnnir.CnnirError) as caught:
        cnnir.compile(cnnir.parse(NET), target)
    (found,) = caught.value.diagnostics
    assert said in f"{found.message} {found.help}"


def test_nothing_is_measured_on_another_machine() -> None:
    with pytest.raises(cnnir.CnnirError, match="C0509"):
        cnnir.compile(cnnir.parse(NET), ARM, conv="measure")
