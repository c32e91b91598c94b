"""Runtimes in environments of their own: ncnn and MNN where they are installed, and what is said where something fails."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")

import cnnir
from cnnir.backends import reference
from cnnir.backends.agree import compare
from cnnir.backends.peers import environments, start_peers
from cnnir.backends.peers.ncnn import _foreign  # pyright: ignore[reportPrivateUsage]
from cnnir.backends.peers.peer import Peer
from cnnir.backends.peers.registry import RUNTIMES
from cnnir.diagnostics import CnnirError
from cnnir.feeds import random_feeds
from cnnir.ir.batch import with_batch

APART = [name for name, runtime in RUNTIMES.items() if runtime.requires]
TEXT = """network n(x: f32[1, 3, 16, 16]) {
    a = x -> conv(8, 3, pad=1) -> relu -> maxpool(2)
    b = x -> conv(8, 3, pad=1) -> sigmoid -> maxpool(2)
    concat(a, b) -> conv(4, 1) -> reshape([1, 256]) -> fc(10) -> softmax
}
"""
REFUSING = """
from .session import NotConverted, Runtime
def refuse(model, feeds, threads):
    raise NotConverted("no such operator: Frobnicate")
RUNTIMES = (Runtime("ncnn", "ncnn", refuse),)
"""


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", APART)
def test_agrees_with_the_reference(name: str, batch: int) -> None:
    if not environments.installed(RUNTIMES[name]):
        pytest.skip(environments.missing(RUNTIMES[name]).message)
    graph = with_batch(cnnir.parse(TEXT), batch)
    feeds = random_feeds(graph.inputs, graph.ranges)
    with ExitStack() as stack:
        (peer,) = start_peers(stack, graph, feeds, [name], 1)
        assert compare(reference.evaluate(graph, feeds), peer.outputs(), 1e-5)
        assert len(peer.run(2)) == 2 and peer.version[0].isdigit()


def test_a_batch_is_its_images_one_by_one() -> None:
    one = cnnir.parse(TEXT)
    feeds = random_feeds(with_batch(one, 3).inputs, {})
    (together,) = reference.evaluate(with_batch(one, 3), feeds).values()
    apart = [next(iter(reference.evaluate(one, {"x": feeds["x"][n : n + 1]}).values())) for n in range(3)]
    np.testing.assert_allclose(together, np.concatenate(apart), rtol=1e-6)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the workers' folder whose ncnn refuses everything, run by our own Python."""
    source = Path(environments.__file__).parent
    for name in ("worker.py", "arrays.py", "session.py"):
        (tmp_path / name).write_text((source / name).read_text("utf-8"), "utf-8")
    (tmp_path / "ncnn.py").write_text(REFUSING)
    monkeypatch.setattr(environments, "installed", lambda _runtime: True)
    command = [sys.executable, "-I", "-c", environments.BOOTSTRAP, str(tmp_path)]
    monkeypatch.setattr(environments, "worker", lambda _runtime: list(command))
    return tmp_path


def test_a_converters_words_are_handed_on(fake: Path) -> None:
    graph = cnnir.parse(TEXT)
    feeds = random_feeds(graph.inputs, graph.ranges)
    said: dict[str, CnnirError] = {}
    with ExitStack() as stack:
        peers = start_peers(stack, graph, feeds, ["ncnn"], 1, said.__setitem__)
    assert peers == [] and said["ncnn"].diagnostics[0].code == "C0712"
    assert said["ncnn"].diagnostics[0].message == "`ncnn`: not converted: no such operator: Frobnicate"
    assert fake.is_dir()


def test_operators_left_over_by_the_converter_are_named() -> None:
    param = "7767517\n2 2\nInput in0 0 1 in0\naten::frob f 1 1 in0 1\nnn.Blur b 1 1 1 out0\n"
    assert _foreign(param) == ["aten::frob", "nn.Blur"]


@pytest.mark.parametrize("name", APART)
def test_without_its_environment(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNIR_PEERS", str(tmp_path))
    with pytest.raises(CnnirError, match="has no environment") as caught:
        Peer(name, tmp_path / "x.onnx", {}, 1)
    assert caught.value.exit_code == 3


def test_what_pip_says_is_handed_on_and_nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNIR_PEERS", str(tmp_path))

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        environments.folder(RUNTIMES["mnn"]).mkdir(parents=True, exist_ok=True)
        return subprocess.CompletedProcess(command, int("pip" in command), "looking\nERROR: no matching distribution\n")

    monkeypatch.setattr(environments.subprocess, "run", run)
    with pytest.raises(CnnirError, match="no matching distribution") as caught:
        environments.install(RUNTIMES["mnn"])
    assert caught.value.exit_code == 3 and not environments.folder(RUNTIMES["mnn"]).exists()
