"""Relay text: what is written, what is refused, and, where a TVM with Relay is at hand, that it types and answers as we do."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from safetensors.numpy import load_file

import cnnir
from cnnir.backends.relay_text import listing
from cnnir.cli import run_command
from cnnir.diagnostics import CnnirError
from cnnir.ir.graph import Graph
from cnnir.testing import graphs, light
from cnnir.testing.data import random_feeds

READER = Path(__file__).with_name("relay_reader.py")
RUN = {"lenet5", "fire", "paper_sigmoid", "hswish", "squeezenet"}
"""Examples that are small enough to be run, too: as C, of which the functions are few."""
ZOO = {"bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet", "vgg19", "zfnet512"}
"""What the package `onnx` ships of the zoo, without weights. Relay says all of it: none is refused with C0720."""

SMALL = """
network small(x: f32[1, 4, 8, 8]) {
    a, b = x -> conv(6, 3, pad=1) -> leaky(0.1) -> split([2, 4])
    c = concat(b, a) -> maxpool(3, stride=2, ceil=on)
    return first = c -> flatten -> fc(3) -> softmax, second = c
}
"""

TEXT = """\
#[version = "0.0.5"]
def @main(%x: Tensor[(1, 4, 8, 8), float32], %conv1_weight: Tensor[(6, 4, 3, 3), float32], %conv1_bias: Tensor[(6), float32], \
%fc1_weight: Tensor[(3, 96), float32], %fc1_bias: Tensor[(3), float32]) -> (Tensor[(1, 3), float32], Tensor[(1, 6, 4, 4), float32]) {
  %0 = nn.conv2d(%x, %conv1_weight, strides=[1, 1], padding=[1, 1, 1, 1], dilation=[1, 1], groups=1, channels=6, kernel_size=[3, 3]) \
/* ty=Tensor[(1, 6, 8, 8), float32] */;
  %1 = nn.bias_add(%0, %conv1_bias, axis=1) /* ty=Tensor[(1, 6, 8, 8), float32] */;
  %2 = multiply(0.1f, %1) /* ty=Tensor[(1, 6, 8, 8), float32] */;
  %3 = greater(%1, 0f) /* ty=Tensor[(1, 6, 8, 8), bool] */;
  %4 = where(%3, %1, %2) /* ty=Tensor[(1, 6, 8, 8), float32] */;
  %5 = split(%4, indices_or_sections=[2], axis=1) /* ty=(Tensor[(1, 2, 8, 8), float32], Tensor[(1, 4, 8, 8), float32]) */;
  %6 = (%5.1, %5.0) /* ty=(Tensor[(1, 4, 8, 8), float32], Tensor[(1, 2, 8, 8), float32]) */;
  %7 = concatenate(%6, axis=1) /* ty=Tensor[(1, 6, 8, 8), float32] */;
  %8 = nn.max_pool2d(%7, pool_size=[3, 3], strides=[2, 2], dilation=[1, 1], padding=[0, 0, 1, 1]) /* ty=Tensor[(1, 6, 4, 4), float32] */;
  %9 = nn.batch_flatten(%8) /* ty=Tensor[(1, 96), float32] */;
  %10 = nn.dense(%9, %fc1_weight, units=3) /* ty=Tensor[(1, 3), float32] */;
  %11 = nn.bias_add(%10, %fc1_bias, axis=1) /* ty=Tensor[(1, 3), float32] */;
  %12 = nn.softmax(%11, axis=1) /* ty=Tensor[(1, 3), float32] */;
  (%12, %8)
}
"""


def test_a_network_is_a_function_of_its_inputs_and_weights() -> None:
    graph = cnnir.parse(SMALL)
    assert listing(graph).text() == TEXT == cnnir.emit(graph, "relay")
    assert not graph.weights.drawn


def test_weights_lie_beside_the_text_under_the_names_of_arguments(tmp_path: Path) -> None:
    (tmp_path / "n.cnn").write_text(SMALL)
    assert run_command(["compile", str(tmp_path / "n.cnn"), "--emit", "relay", "-o", str(tmp_path / "n.relay")]) == 0
    graph = cnnir.parse(SMALL)
    stored = load_file(tmp_path / "n.safetensors")
    text = (tmp_path / "n.relay").read_text()
    assert set(re.findall(r"%(\w+):", text)) == {"x", *stored}
    assert np.array_equal(stored["conv1_weight"], graph.weights["conv1.weight"])


def test_a_stranger_beside_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "n.cnn").write_text(SMALL)
    (tmp_path / "n.safetensors").write_bytes(b"mine")
    assert run_command(["compile", str(tmp_path / "n.cnn"), "--emit", "relay", "-o", str(tmp_path / "n.relay")]) == 2
    assert (tmp_path / "n.safetensors").read_bytes() == b"mine" and not (tmp_path / "n.relay").exists()


def test_text_alone_goes_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "n.cnn").write_text(SMALL)
    assert run_command(["compile", str(tmp_path / "n.cnn"), "--emit", "relay", "--place", "never"]) == 0
    assert capsys.readouterr().out == TEXT and [p.name for p in tmp_path.iterdir()] == ["n.cnn"]


def test_names_of_users_are_made_safe() -> None:
    graph = cnnir.parse('network n("%a */ b": f32[1, 2], "%a_*/_b": f32[1, 2]) { add("%a */ b", "%a_*/_b") -> fc(2, name="2; }") }')
    arguments = re.findall(r"%(\S+):", listing(graph).text())
    assert arguments == ["v__a____b", "v__a____b_2", "v_2____weight", "v_2____bias"]


def test_what_relay_cannot_say_is_named_all_at_once() -> None:
    graph = cnnir.parse("network n(x: f32[1, 4, 8, 8]) { x -> lrn(4) -> resize(2) -> avgpool(2, dilation=2) -> lrn(2) }")
    with pytest.raises(CnnirError) as caught:
        listing(graph)
    assert [d.code for d in caught.value.diagnostics] == ["C0720"] * 4
    assert all(d.labels for d in caught.value.diagnostics)


@pytest.mark.parametrize(("layer", "wanted"), [
    ("maxpool(3, stride=2, ceil=on)", "padding=[0, 0, 1, 1]"),
    ("maxpool(2)", "padding=[0, 0, 0, 0]"),
    ("avgpool(3, stride=2, pad=1, count_include_pad=on)", "padding=[1, 1, 1, 1], count_include_pad=True"),
    ("maxpool(2, start=0)", "maximum(%0, 0f)"),
    ("minpool(2)", "negative(%1)"),
    ("global_avgpool", "mean(%x, axis=[2, 3], keepdims=True)"),
    ("adaptive_maxpool(3)", "nn.adaptive_max_pool2d(%x, output_size=[3, 3])"),
])  # fmt: skip
def test_pools_say_their_windows_by_pads(layer: str, wanted: str) -> None:
    assert wanted in listing(cnnir.parse(f"network n(x: f32[1, 4, 8, 8]) {{ x -> {layer} }}")).text()


# -- with a TVM that still has Relay ------------------------------------------------------------------------------------


def read(folder: Path) -> str:
    """What the reader says of every text in a folder; fails where it refuses one."""
    python = os.environ.get("CNNIR_RELAY_PYTHON")
    assert python, "make relay-check sets CNNIR_RELAY_PYTHON"
    done = subprocess.run([python, READER, *sorted(folder.glob("*.relay"))], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{done.stdout}\n{done.stderr[-3000:]}", pytrace=False)
    return done.stdout


def write(graph: Graph, path: Path, run: bool) -> None:
    """The text of a network, and where it is to be run, what goes in and what must come out."""
    writer = listing(graph)
    path.write_text(writer.text())
    if run:
        feeds = random_feeds(graph.inputs, graph.ranges, 0)
        names = re.findall(r"%(\w+):", writer.text())
        arrays = dict(zip(names, feeds.values(), strict=False)) | {name: weight() for name, weight in writer.parameters.items()}
        outputs = cnnir.evaluate(graph, feeds).values()
        np.savez(path.with_suffix(".npz"), **arrays, **{f"out{i}": value for i, value in enumerate(outputs)})  # type: ignore[arg-type]


@pytest.mark.relay
def test_every_example_is_relay_moved_and_unmoved(examples: Path, tmp_path: Path) -> None:
    for path in sorted(examples.glob("*.cnn")):
        for place in ("never", "always"):
            graph = cnnir.optimize(path, place=place, exactness="ulp").graph
            write(graph, tmp_path / f"{path.stem}-{place}.relay", path.stem in RUN)
    said = read(tmp_path)
    print(f"\n{said}", end="")
    assert said.count("statements typed") == 2 * len(list(examples.glob("*.cnn"))) and said.count("answers within") == 2 * len(RUN)


@pytest.mark.relay
def test_every_light_network_of_the_onnx_zoo_is_relay_moved_and_unmoved(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    networks = sorted(light.folder().glob("*.onnx"))
    assert {path.stem.removeprefix("light_") for path in networks} >= ZOO
    for path in networks:
        write(cnnir.load(path), tmp_path / f"{path.stem}-unmoved.relay", False)
        moved = cnnir.optimize(path, place="always", exactness="ulp").graph
        assert any(layer.origin.made_by for layer in moved.layers())
        write(moved, tmp_path / f"{path.stem}-moved.relay", False)
    said = read(tmp_path)
    print(f"\n{said}", end="")
    assert said.count("statements typed") == 2 * len(networks)


@pytest.mark.relay
def test_random_networks_are_relay_or_refused(tmp_path: Path) -> None:
    written, refused = list[Graph](), set[str]()

    @settings(max_examples=300, derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(graphs(axes=(1, 2, 3)))
    def draw(graph: Graph) -> None:
        try:
            text = listing(graph).text()
        except CnnirError as error:
            refused.update(d.code for d in error.diagnostics)
            return
        (tmp_path / f"{len(written)}.relay").write_text(text)
        written.append(graph)

    draw()
    assert len(written) > 100 and refused == {"C0720"}
    read(tmp_path)
