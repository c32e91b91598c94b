"""Names that mean something to Python, C, TVM or a file system are names here, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import cnnir
from cnnir.feeds import random_feeds

TEXT = r"""
activation float(x) = x / 2
activation import(x) = max(x, 0.1)

network main("../../x": f32[1, 2, 8, 8] in [0, 1], int: f32[1, 2, 8, 8], "a\u{a}b\"; exit(1) //": f32[1, 2, 8, 8]) {
    "/etc/passwd" = add("../../x", int) -> conv(2, 3, pad=1, name="../../weights/%s$(id)")
    "void" = "/etc/passwd" -> float -> import -> maxpool(2, stride=2)
    "" = add("a\u{a}b\"; exit(1) //", "../../x") -> relu
    return "__init__" = "void", "..", "for" = "/etc/passwd"
}
""".replace('"" =', '".." =')


def test_no_path_and_no_symbol_comes_from_a_name(tmp_path: Path) -> None:
    graph = cnnir.parse(TEXT)
    feeds = random_feeds(graph.inputs, graph.ranges)
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    program = cnnir.compile(graph, threads=1)
    program.save(folder / "n.cnnpkg")
    assert list(tmp_path.rglob("*.cnnpkg")) == [folder / "n.cnnpkg"] and len(list(tmp_path.iterdir())) == 1
    assert {path.suffix for path in (folder / "n.cnnpkg").iterdir()} == {".so", ".bin", ".json"}
    expected = cnnir.evaluate(graph, feeds)
    assert set(expected) == {"__init__", "..", "for"}
    for found in (program(feeds), cnnir.load_program(folder / "n.cnnpkg")(feeds)):
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6)
    for what in ("relax", "tir", "llvm-ir"):
        assert "exit(1)" not in cnnir.emit(graph, what)
    assert cnnir.parse(cnnir.dumps(graph)) == graph
