"""`make bench`: VGG and the light networks of the ONNX zoo against other runtimes; writes a page of figures.

    python -m cnnir.testing.speed docs/speed.md [--quick] [--batch 1 --batch 8]

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
from pathlib import Path
from typing import Any

from . import light

PEERS = "onnxruntime,openvino,ncnn,mnn"
OURS = "fused, moved"


def networks(examples: Path, folder: Path) -> Iterator[Path]:
    """VGG-16, VGG-19 and the light networks with drawn weights, which are written into the folder."""
    yield from (examples / "vgg16.cnn", examples / "vgg19.cnn")
    onnx: Any = import_module("onnx")
    for path in sorted(light.folder().glob("*.onnx")):
        onnx.save(light.filled(path), folder / path.name)
        yield folder / path.name


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
    parser.add_argument("--batch", type=int, action="append", help="images at once; may be given again [default: 1 and 8]")
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
            for batch in given.batch or (1, 8):
                sys.stderr.write(f"{path.stem}, batch {batch}\n")
                lines += _race(path, batch, given.quick)
    given.page.write_text("\n".join(lines) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
