"""Repetition is written as such, and reads back as what it stands for."""

from __future__ import annotations

import difflib
import re

from hypothesis import given
from hypothesis import strategies as st

import cnnir
from cnnir.ir.blocks import folded


def written_out(steps: list[str]) -> list[str]:
    """The steps of a folded chain, by the rule of the language."""
    text = " -> ".join(steps)
    while (inner := re.search(r"\[([^\[\]]*)\]\*(\d+)", text)) is not None:
        text = text[: inner.start()] + " -> ".join([inner[1]] * int(inner[2])) + text[inner.end() :]
    return text.split(" -> ") if text else []


@given(st.lists(st.sampled_from("abc"), max_size=60))
def test_folding_keeps_the_steps(steps: list[str]) -> None:
    assert written_out(folded(steps)) == steps


VGG = " -> ".join(
    step for n, c in [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)] for step in [f"conv({c}, 3, pad=1) -> relu"] * n + ["maxpool(2)"]
)


def test_a_vgg_without_blocks_reads_like_one() -> None:
    graph = cnnir.parse(
        f"network vgg(x: f32[1, 3, 224, 224]) {{ x -> {VGG} -> flatten -> fc(4096) -> relu -> fc(4096) -> relu -> fc(10) }}"
    )
    text = cnnir.dumps(graph)
    assert text.splitlines() == [
        "network vgg(x: f32[1, 3, 224, 224]) {",
        "    x -> [conv(64, 3, pad=1) -> relu]*2 -> maxpool(2) -> [conv(128, 3, pad=1) -> relu]*2 -> maxpool(2)",
        "          -> [conv(256, 3, pad=1) -> relu]*3 -> maxpool(2)",
        "          -> [[conv(512, 3, pad=1) -> relu]*3 -> maxpool(2)]*2 -> flatten -> [fc(4096) -> relu]*2 -> fc(10)",
        "}",
    ]
    assert cnnir.parse(text) == graph


def test_a_small_change_changes_few_lines() -> None:
    """A repetition that is longer in one place is written there, and does not become a parameter everywhere."""
    body = "\n".join(f"v{i + 1} = v{i} -> conv({i + 2}, 3, pad=1) -> [relu]*4 -> sigmoid" for i in range(20))
    text = f"network n(v0: f32[1, 2, 8, 8]) {{\n{body}\nadd(v20, 1)\nreturn v5, v10, v15, v20\n}}"
    one, two = (
        cnnir.dumps(cnnir.parse(t)).splitlines()
        for t in (text, text.replace("v7 -> conv(9, 3, pad=1) -> [relu]*4", "v7 -> conv(9, 3, pad=1) -> [relu]*5"))
    )
    assert sum(line[0] in "+-" for line in difflib.ndiff(one, two)) <= 4  # a line, and the one it flows into
