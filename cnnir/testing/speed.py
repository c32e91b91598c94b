"""`make bench`: VGG and the light networks of the ONNX zoo against other runtimes; writes a page of figures.

    python -m cnnir.testing.speed docs/speed.md [--quick]

Each race is a `cnnc bench --json` in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

PEERS = "onnxruntime,openvino,ncnn,mnn"
OURS = "fused, moved"


def networks(examples: Path, folder: Path) -> Iterator[Path]:
    """VGG-16, VGG-19 and the light networks, whose weights are drawn: as shipped, nodes fill them with one number."""
    yield from (examples / "vgg16.cnn", examples / "vgg19.cnn")
    found = find_spec("onnx")
    assert found is not None
    assert found.origin is not None
    for path in sorted((Path(found.origin).parent / "backend/test/data/light").glob("*.onnx")):
        yield _filled(path, folder)


def _filled(path: Path, folder: Path) -> Path:
    onnx: Any = import_module("onnx")
    model = onnx.load(str(path))
    graph, rng = model.graph, np.random.default_rng(0)
    shapes = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "ConstantOfShape" and n.input[0] in shapes]:
        shape = tuple(int(n) for n in shapes[node.input[0]])
        values = rng.standard_normal(shape).astype(np.float32)
        scaled = values * np.float32(np.sqrt(2 / np.prod(shape[1:]))) if len(shape) > 1 else np.abs(values) / 2 + np.float32(0.5)
        graph.node.remove(node)
        graph.initializer.append(onnx.numpy_helper.from_array(scaled.astype(np.float32), node.output[0]))
    model.ir_version = 8  # in which a tensor need not be an input
    onnx.save(model, str(folder / path.name))
    return folder / path.name


def rows(name: str, batch: int, document: dict[str, Any]) -> list[str]:
    """One line of the table a contestant, ratios to the fastest peer; one a runtime that was refused."""
    from cnnir.backends.race import summarize

    standings = document["race"]["standings"]
    shown = [n for n in standings if n == OURS or n in {r["name"] for r in document["contestants"][3:]}]
    fastest = min((n for n in shown if n != OURS), key=lambda n: standings[n]["median"], default=None)
    result = summarize({n: [[t] for t in standings[n]["rounds"]] for n in shown}, 1, fastest)
    lines = [
        f"| {name} | {batch} | {n} | {standings[n]['median'] * 1e3:.2f} | {'1' if n == fastest else result.standings[n].ratio or ''} |"
        for n in shown
    ]
    return lines + [f"| {name} | {batch} | {n} | | {reason} |" for n, reason in document["refused"].items()]


def _race(path: Path, batch: int, quick: bool) -> list[str]:
    size = ["--rounds", "2", "--runs", "1"] if quick else ["--rounds", "9", "--runs", "5"]
    command = [
        sys.executable,
        "-c",
        "from cnnir.cli import main; main()",
        "bench",
        str(path),
        "--json",
        "--threads",
        "2",
        "--batch",
        str(batch),
        *size,
    ]
    done = subprocess.run([*command, "--against", PEERS], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return [f"| {path.stem} | {batch} | | | `cnnc bench` ended with exit code {done.returncode} |"]
    return rows(path.stem, batch, json.loads(done.stdout))


def main(arguments: list[str] | None = None) -> int:
    """Race everything and write the page; `--quick` takes the first and the last network, two rounds of one run."""
    parser = argparse.ArgumentParser(prog="python -m cnnir.testing.speed")
    parser.add_argument("page", type=Path)
    parser.add_argument("--examples", type=Path, default=Path("examples"))
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(arguments)
    from cnnir.backends.peers.registry import RUNTIMES

    lines = [
        "# Against other runtimes", "",
        f"`cnnc bench --threads 2 --against {PEERS}` on {platform.machine()},",
        f"{platform.processor() or platform.platform()}, {os.cpu_count()} cores.",
        f"Installed apart: {', '.join(r for runtime in RUNTIMES.values() for r in runtime.requires)}.",
        "Median ms; ratio to the fastest runtime of the others, round by round, with the 10th to 90th percentile.", "",
        "| network | batch | | ms | ratio |", "|---|---|---|---|---|",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="cnnir-speed-") as folder:
        every = list(networks(given.examples, Path(folder)))
        for path in [every[0], every[-1]] if given.quick else every:
            for batch in (1, 8):
                sys.stderr.write(f"{path.stem}, batch {batch}\n")
                lines += _race(path, batch, given.quick)
    given.page.write_text("\n".join(lines) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
