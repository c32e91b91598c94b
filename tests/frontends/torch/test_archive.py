"""`.pt2` files are data: sound ones are read without PyTorch, and nothing in any of them is run."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnir
from cnnir.cli import run_command
from cnnir.diagnostics import CnnirError
from cnnir.ops.opaque import Opaque

from .archives import WEIGHT, Document, document, meta, node, tensor, weights, write


class Bomb:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("unpickled",)


def changed(change: Callable[[Document], object]) -> Document:
    model = document()
    change(model)
    return model


def graph_of(model: Document) -> Any:
    return model["graph_module"]["graph"]


def test_a_sound_file_is_the_network_it_describes(tmp_path: Path) -> None:
    net = cnnir.load(write(tmp_path / "net.pt2"))
    same = cnnir.parse("network net(x: f32[1, 3, 8, 8]) { x -> conv(2, 3, pad=1, bias=off) -> relu -> maxpool(2) }")
    same.weights["conv.weight"] = WEIGHT
    assert [layer.name for layer in net.layers()] == ["x", "c", "a", "p"]
    assert dict(net["c"].weights) == {"weight": "c.weight"}
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 8), np.float32)
    (found,) = cnnir.evaluate(net, {"x": x}).values()
    padded = np.lib.stride_tricks.sliding_window_view(np.pad(x[0].astype(np.float64), ((0, 0), (1, 1), (1, 1))), (3, 3), (1, 2))
    maps = np.maximum(np.einsum("chwij,ocij->ohw", padded, WEIGHT.astype(np.float64)), 0)
    np.testing.assert_array_equal(found[0], maps.reshape(2, 4, 2, 4, 2).max((2, 4)).astype(np.float32))


def test_neither_torch_nor_a_pickle_module_is_imported(tmp_path: Path) -> None:
    path = write(tmp_path / "net.pt2")
    script = f"import sys; sys.modules['torch'] = None; import cnnir; print(len(cnnir.load({str(path)!r})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "4\n"), done.stderr


def test_without_torch_a_module_says_what_to_install(tmp_path: Path) -> None:
    script = """
import sys
sys.modules['torch'] = None
import cnnir
try:
    cnnir.load(object(), ())
except cnnir.CnnirError as error:
    print(error.exit_code, error.diagnostics[0].code, error.diagnostics[0].help)
try:
    cnnir.to_torch(cnnir.parse("network n(x: f32[1, 2]) { x -> relu }"))
except cnnir.CnnirError as error:
    print(error.exit_code, error.diagnostics[0].code)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "3 C0864 pip install 'cnnir[torch]'\n3 C0864\n", done.stderr


def zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


BYTES = {
    "empty": (b"", "C0860"),
    "random": (np.random.default_rng(0).bytes(1000), "C0860"),
    "HTML": (b"<!doctype html><html></html>", "C0860"),
    "a pickle": (pickle.dumps(Bomb()), "C0861"),
    "a state dict": (zipped("archive/data.pkl", pickle.dumps(Bomb())), "C0861"),
    "an old program": (zipped("serialized_exported_program.json", b"{}"), "C0860"),
    "a ZIP of nothing": (zipped("readme.txt", b"hello"), "C0860"),
}


@pytest.mark.parametrize("name", BYTES)
def test_what_is_no_program_is_one_diagnostic(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content, code = BYTES[name]
    monkeypatch.chdir(tmp_path)
    Path("net.pt2").write_bytes(content)
    assert run_command(["check", "net.pt2"]) == 1
    assert capsys.readouterr().err.startswith(f"error[{code}]")
    assert [path.name for path in Path().iterdir()] == ["net.pt2"]


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt"])
def test_pickles_are_refused_by_their_suffix(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(f"net{suffix}")
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CnnirError) as caught:
        cnnir.load(path)
    (found,) = caught.value.diagnostics
    assert found.code == "C0861" and "torch.export.save" in (found.help or "")
    assert not Path("unpickled").exists()


def test_folders_and_fifos_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "folder.pt2").mkdir()
    os.mkfifo(tmp_path / "fifo.pt2")
    for name in ("folder.pt2", "fifo.pt2"):
        with pytest.raises(CnnirError, match="not a file") as caught:
            cnnir.load(tmp_path / name)
        assert caught.value.exit_code == 1
    with pytest.raises(CnnirError) as caught:
        cnnir.load(tmp_path / "nothing.pt2")
    assert caught.value.exit_code == 2


def test_every_truncation_is_a_diagnostic(tmp_path: Path) -> None:
    whole = write(tmp_path / "net.pt2").read_bytes()
    cut = tmp_path / "cut.pt2"
    for length in range(0, len(whole), 97):
        cut.write_bytes(whole[:length])
        with pytest.raises(CnnirError) as caught:
            cnnir.load(cut)
        assert {d.code for d in caught.value.diagnostics} == {"C0860"}


def test_every_flipped_byte_is_a_network_or_a_diagnostic(tmp_path: Path) -> None:
    whole = bytearray(write(tmp_path / "net.pt2").read_bytes())
    path = tmp_path / "flipped.pt2"
    for place in range(0, len(whole), 61):
        whole[place] ^= 0xFF
        path.write_bytes(whole)
        whole[place] ^= 0xFF
        with contextlib.suppress(CnnirError):  # and nothing else
            cnnir.load(path)


PICKLED = {
    "a pickled weight": {"listed": weights(use_pickle=True)},
    "a weight without a description": {"listed": weights(tensor_meta=None)},
    "a pickled constant": {"more": {"data/constants/model_constants_config.json": json.dumps(
        {"config": {"o": {"path_name": "custom_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}}}).encode(),
        "data/constants/custom_obj_0": pickle.dumps(Bomb())}},
    "an object among the inputs": {"model": changed(lambda m: m["graph_module"]["signature"]["input_specs"].append(
        {"custom_obj": {"arg": {"name": "o", "class_fqn": "x"}, "custom_obj_name": "o"}}))},
}  # fmt: skip


@pytest.mark.parametrize("name", PICKLED)
def test_archives_that_carry_objects_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CnnirError) as caught:
        cnnir.load(write(tmp_path / "net.pt2", **PICKLED[name]))
    assert [d.code for d in caught.value.diagnostics] == ["C0861"]
    assert not Path("unpickled").exists()


def test_sample_inputs_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cnnir.load(write(tmp_path / "net.pt2", more={"data/sample_inputs/model.pt": pickle.dumps(Bomb())}))
    assert not Path("unpickled").exists()


EVIL = "__import__('os').mkdir('evaluated')"


def test_texts_of_sizes_are_never_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def symbolic(model: Document) -> None:
        graph_of(model)["tensor_values"]["x"]["sizes"][0] = {"as_expr": {"expr_str": EVIL, "hint": {"as_int": 1}}}

    path = write(tmp_path / "net.pt2", changed(symbolic))
    with pytest.raises(CnnirError) as caught:
        cnnir.load(path)
    assert [d.code for d in caught.value.diagnostics] == ["C0222"]
    assert cnnir.load(path, shapes={"x": (1, 3, 8, 8)}).inputs["x"].shape == (1, 3, 8, 8)
    assert not Path("evaluated").exists()


@pytest.mark.parametrize("target", ["torch.hub.load", "_operator.attrgetter", "os.mkdir", "torch.ops.aten.from_file.default"])
def test_targets_are_names_and_are_listed_all_at_once(target: str, tmp_path: Path) -> None:
    def twice(model: Document) -> None:
        for name in ("one", "two"):
            extra = node("x", name, self=tensor("x"))
            graph_of(model)["nodes"].append({**extra, "target": target})
        outputs = [{"user_output": {"arg": tensor(name)}} for name in ("one", "two")]
        model["graph_module"]["signature"]["output_specs"] += outputs

    with pytest.raises(CnnirError) as caught:
        cnnir.load(write(tmp_path / "net.pt2", changed(twice)))
    assert [d.code for d in caught.value.diagnostics] == ["C0862"] * 2
    assert all(d.labels for d in caught.value.diagnostics)


def test_what_has_no_layer_stays_as_it_is_called(tmp_path: Path) -> None:
    def strange(model: Document) -> None:
        graph_of(model)["nodes"].insert(2, node("fft_like.default", "strange", "a", self=tensor("relu_"), norm={"as_string": "ortho"}))
        graph_of(model)["tensor_values"]["strange"] = meta((1, 2, 8, 8))
        graph_of(model)["nodes"][-1]["inputs"][0]["arg"] = tensor("strange")

    with pytest.warns(UserWarning, match=r"torch\.aten\.fft_like\.default"):
        net = cnnir.load(write(tmp_path / "net.pt2", changed(strange)))
    (opaque,) = [layer.op for layer in net.layers() if isinstance(layer.op, Opaque)]
    assert opaque.payload == (("input", "input 0"), ("norm", "ortho"))
    cnnir.save(net, tmp_path / "net.cnn")
    assert cnnir.load(tmp_path / "net.cnn") == net


def wide(model: Document) -> None:
    model["graph_module"]["graph"]["tensor_values"]["conv2d"] = meta((1, 2, 9, 9))


DAMAGED = {
    "weights that end too soon": {"content": b"\0" * 12},
    "strides that lead outside": {"listed": weights(tensor_meta={**meta((2, 3, 3, 3)), "strides": [{"as_int": 1 << 40}] * 4})},
    "negative strides": {"listed": weights(tensor_meta={**meta((2, 3, 3, 3)), "strides": [{"as_int": -1}] * 4})},
    "an offset outside": {"listed": weights(tensor_meta={**meta((2, 3, 3, 3)), "storage_offset": {"as_int": 1 << 50}})},
    "a tensor of 2^80 elements": {"listed": weights(tensor_meta=meta((1 << 40, 1 << 40)))},
    "a path outside": {"listed": weights(path_name="../../../../etc/passwd")},
    "compressed weights": {"compression": zipfile.ZIP_DEFLATED},
    "another version": {"model": changed(lambda m: m.update(schema_version={"major": 99, "minor": 0}))},
    "no graph": {"model": changed(lambda m: m.update(graph_module=[]))},
    "nested JSON": {"more": {"models/model.json": b"[" * 100_000}},
    "a weight nobody stored": {"model": changed(lambda m: m["graph_module"]["signature"]["input_specs"][0]["parameter"].update(parameter_name="y"))},
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_one_diagnostic(name: str, tmp_path: Path) -> None:
    with pytest.raises(CnnirError) as caught:
        cnnir.load(write(tmp_path / "net.pt2", **DAMAGED[name]))
    assert [d.code for d in caught.value.diagnostics] == ["C0860"]


def test_a_rule_that_gives_another_shape_than_pytorch_is_noticed(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="torch.aten.conv2d.default"):
        cnnir.load(write(tmp_path / "net.pt2", changed(wide)))


def test_diagnostics_point_at_the_module(tmp_path: Path) -> None:
    net = cnnir.load(write(tmp_path / "net.pt2"))
    span = net["a"].origin.span
    assert span is not None and span.text == "a: A = aten.relu_(conv2d)"
    assert span.location.endswith("net.pt2:2:1")
