"""Models that are wrong, or want to read what is not theirs: one diagnostic each, exit code 1, nothing allocated, never a traceback."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

import cnnir
from cnnir.cli import run_command
from cnnir.diagnostics import CnnirError
from cnnir.frontends import onnx
from cnnir.memory import memory

from .models import external, model, node, saved

RELU, ADD = node("Relu", "x", "y"), node("Add", "x w", "y")


def shaped(*dims: int) -> ModelProto:
    return model(RELU, inputs=[helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)])


def raw(dims: list[int], data: bytes) -> ModelProto:
    return model(ADD, w=TensorProto(name="w", dims=dims, data_type=TensorProto.FLOAT, raw_data=data))


def nested(depth: int) -> bytes:
    """Subgraphs in subgraphs, written byte by byte: the library refuses to make them."""

    def field(number: int, content: bytes) -> bytes:
        size, length = len(content), bytearray()
        while size > 0x7F:
            length.append(size & 0x7F | 0x80)
            size >>= 7
        return bytes([number << 3 | 2, *length, size]) + content

    graph = field(1, field(4, b"Relu"))
    for _ in range(depth):
        graph = field(1, field(4, b"If") + field(5, field(1, b"then_branch") + field(6, graph)))
    return field(8, field(1, b"") + b"\x10\x11") + field(7, graph)


WRONG: dict[str, tuple[str, bytes | ModelProto]] = {
    "empty": ("C0801", b""),
    "html": ("C0801", b"<!DOCTYPE html><html><body>not found</body></html>"),
    "random": ("C0801", np.random.default_rng(0).bytes(5000)),
    "truncated": ("C0801", model(RELU).SerializeToString()[:60]),
    "no graph": ("C0801", ModelProto(ir_version=8).SerializeToString()),
    "40 subgraphs": ("C0810", nested(40)),
    "1,000 subgraphs": ("C0810", nested(1000)),
    "size -1": ("C0210", shaped(-1, 3)),
    "size 0": ("C0210", shaped(0, 3)),
    "size 2^31": ("C0210", shaped(2**31, 3)),
    "sizes beyond int64": ("C0210", shaped(2**62, 2**62)),
    "a weight of size -1": ("C0805", raw([-1], b"")),
    "weights beyond int64": ("C0805", raw([2**40, 2**40], b"")),
    "weights of 16 EB in 8 bytes": ("C0805", raw([2**60], bytes(8))),
    "weights too short": ("C0805", raw([3], bytes(8))),
    "large weights too short": ("C0805", raw([2**20], bytes(8192))),
    "weights too long": ("C0805", raw([3], bytes(16))),
    "a cycle": ("C0302", model(node("Relu", "z", "y"), node("Relu", "y", "z"))),
    "a self loop": ("C0302", model(node("Relu", "y", "y"))),
    "no producer": ("C0305", model(node("Relu", "q", "y"))),
    "no producer of the output": ("C0305", model(node("Relu", "x", "z"))),
    "a name twice": ("C0306", model(RELU, RELU)),
    "no output": ("C0303", model(RELU, outputs=())),
    "opset 0": ("C0806", model(RELU, opset=0)),
    "opset 999": ("C0806", model(RELU, opset=999)),
    "an old meaning": ("C0806", model(node("Dropout", "x", "y"), opset=6)),
    "an unknown domain": ("C0807", model(node("Foo", "x", "y", domain="some.where"))),
    "alpha that is no number": ("C0206", model(node("LeakyRelu", "x", "y", alpha=float("nan")))),
    "scale 0": ("C0206", model(node("QuantizeLinear", "x w", "y"), w=np.float32(0))),
    "a kernel of 0": ("C0206", model(node("MaxPool", "x", "y", kernel_shape=[0, 2]))),
    "a kernel larger than the input": ("C0203", model(node("MaxPool", "x", "y", kernel_shape=[9, 9]))),
    "pads of the wrong length": ("C0811", model(node("MaxPool", "x", "y", kernel_shape=[2, 2], pads=[1]))),
    "an attribute of another type": ("C0811", model(node("MaxPool", "x", "y", kernel_shape="no"))),
    "a missing input": ("C0811", model(node("Conv", "x", "y"))),
    "a shape beyond int32": ("C0210", model(node("Tile", "x w", "y"), w=np.array([2**40] * 4))),
    "an element that is not there": ("C0206", model(node("Gather", "x w", "y", axis=1), w=np.array([3]))),
    "symbolic sizes": ("C0222", model(RELU, inputs=[helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])])),
    "strings": ("C0812", model(RELU, inputs=[helper.make_tensor_value_info("x", TensorProto.STRING, [3])])),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_model_is_one_kind_of_diagnostic(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, content = WRONG[what]
    assert run_command(["check", str(saved(tmp_path, content))]) == 1
    said = capsys.readouterr().err
    assert said.count("error[") == said.count(f"error[{code}]") >= 1
    assert len(said) < 3000


def odd(folder: Path, make: Callable[[Path], Any]) -> Path:
    path = folder / "n.onnx"
    make(path)
    return path


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["folder", "FIFO", "/dev/zero"])
def test_what_is_no_file_is_not_read(make: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(CnnirError) as caught:
        cnnir.load(odd(tmp_path, make))
    assert [d.code for d in caught.value.diagnostics] == ["C0401"] and caught.value.exit_code == 1


def test_more_than_a_protocol_buffer_holds_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "n.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)  # a hole
    with pytest.raises(CnnirError) as caught:
        cnnir.load(path)
    assert [d.code for d in caught.value.diagnostics] == ["C0802"]
    assert "external data" in str(caught.value.diagnostics[0].help)


PLACES: dict[str, tuple[str, dict[str, str]]] = {
    "above": ("C0803", {"location": "../../etc/passwd"}),
    "up and down": ("C0803", {"location": "below/../../n.bin"}),
    "absolute": ("C0803", {"location": "/etc/passwd"}),
    "a drive": ("C0803", {"location": "C:\\w.bin"}),
    "NUL": ("C0803", {"location": "w\0.bin"}),
    "nowhere": ("C0803", {"location": ""}),
    "no location": ("C0803", {}),
    "a link out": ("C0803", {"location": "link.bin"}),
    "through a link": ("C0803", {"location": "linked/w.bin"}),
    "a hard link": ("C0803", {"location": "hard.bin"}),
    "a negative offset": ("C0804", {"location": "w.bin", "offset": "-1"}),
    "an offset past the end": ("C0804", {"location": "w.bin", "offset": "12"}),
    "a length past the end": ("C0804", {"location": "w.bin", "offset": "1", "length": "12"}),
    "a negative length": ("C0804", {"location": "w.bin", "length": "-12"}),
    "another length": ("C0805", {"location": "w.bin", "length": "8"}),
    "an unknown key": ("C0804", {"location": "w.bin", "__class__": "x"}),
    "a folder": ("C0401", {"location": "below"}),
    "no file": ("C0401", {"location": "none.bin"}),
}


@pytest.mark.parametrize("what", PLACES)
def test_external_data_lie_in_the_folder_of_the_model(what: str, tmp_path: Path) -> None:
    code, entries = PLACES[what]
    folder = tmp_path / "model"
    (folder / "below").mkdir(parents=True)
    for file in (tmp_path / "w.bin", tmp_path / "n.bin", folder / "w.bin"):
        file.write_bytes(bytes(12))
    (folder / "link.bin").symlink_to(tmp_path / "w.bin")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "hard.bin").hardlink_to(tmp_path / "w.bin")
    with pytest.raises(CnnirError) as caught:
        cnnir.load(saved(folder, model(ADD, w=external("w", [3], entries))))
    assert [d.code for d in caught.value.diagnostics] == [code] and caught.value.exit_code == 1


def test_all_unsupported_operators_are_said_at_once_each_at_its_node() -> None:
    chain = [node("Foo", "x", "a"), node("Relu", "a", "b"), node("Bar", "b", "c", name="second"), node("Baz", "x", "y")]
    with pytest.raises(CnnirError) as caught:
        onnx.parse(model(*chain).SerializeToString())
    found = caught.value.diagnostics
    assert [d.code for d in found] == ["C0807"] * 3
    assert [d.labels[0].span.text for d in found] == ["a = Foo(x)", "c = Bar(b)  # second", "y = Baz(x)"]


def test_no_weight_is_allocated_by_what_a_model_claims() -> None:
    """A number everywhere, in more places than there is memory: it is made when it is asked for, and that is refused."""
    size = np.array([memory() // 2**20, 2**20])
    content = model(node("ConstantOfShape", "s", "y"), s=size)
    graph = onnx.parse(content.SerializeToString())
    with pytest.raises(CnnirError) as caught:
        cnnir.evaluate(graph, {"x": np.zeros((1, 3, 8, 8), np.float32)})
    assert caught.value.diagnostics[0].code in ("C0513", "C0514")


def test_a_long_chain_and_a_wide_join_are_read_in_linear_time() -> None:
    chain = [node("Relu", f"v{i}", f"v{i + 1}") for i in range(3000)]
    wide = node("Concat", " ".join(["v3000"] * 3000), "y", axis=1)
    start = helper.make_tensor_value_info("v0", TensorProto.FLOAT, [1, 1, 2, 2])
    graph = onnx.parse(model(*reversed(chain), wide, inputs=[start]).SerializeToString())  # in any order
    assert len(graph) == 3002 and graph.outputs["y"].shape == (1, 3000, 2, 2)
