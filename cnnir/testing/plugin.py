"""A pytest plugin (`-p cnnir.testing.plugin`): collects `.cnn` files that begin with `# RUN:`; `--update-expected` rewrites
the `.expected` files beside them."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from cnnir.diagnostics import CnnirError

if TYPE_CHECKING:
    from cnnir.ir.graph import Graph


def pytest_addoption(parser: pytest.Parser) -> None:
    """The update flag."""
    parser.addoption("--update-expected", action="store_true", help="write what textual tests give into their .expected files")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Files of networks that say what to run."""
    if file_path.suffix != ".cnn" or not file_path.read_text("utf-8").startswith("# RUN:"):
        return None
    return cast(Any, TextualFile).from_parent(parent, path=file_path)  # pytest leaves its arguments open


class TextualFile(pytest.File):
    """One `.cnn` file."""

    def collect(self) -> Iterator[pytest.Item]:
        """Its one test."""
        yield cast(Any, TextualTest).from_parent(self, name="expected")


def _reads_back(text: str, graph: Graph) -> bool:
    """Whether the text is the network, with those weights beside it that no key gives."""
    import cnnir

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.cnn"
        cnnir.save(graph, path)
        lines = [line for line in path.read_text("utf-8").splitlines(keepends=True) if not line.startswith("weights ")]
        return text.startswith("".join(lines).lstrip()) and cnnir.load(path) == graph


class Differs(Exception):
    """The text is not the expected one."""


class TextualTest(pytest.Item):
    """The text comes out as expected, reads back as the same network, and the network answers as before."""

    def runtest(self) -> None:
        """Compare, or update."""
        from .equivalent import assert_equivalent
        from .textual import outcome

        found = outcome(self.path)
        expected = self.path.with_suffix(".expected")
        if self.config.getoption("--update-expected"):
            expected.write_text(found.text, "utf-8")
        wanted = expected.read_text("utf-8") if expected.exists() else ""
        if found.text != wanted:
            lines = difflib.unified_diff(wanted.splitlines(), found.text.splitlines(), expected.name, "now", lineterm="")
            raise Differs("\n".join([*lines, "If this is right, run pytest with --update-expected"]))
        if found.before is not None and found.after is not None:
            assert _reads_back(found.text, found.after), "the expected text reads back as another network"
            assert len(found.bounds) < 2, "a bound at a site is none on what a second move makes of it: one such move a test"
            exactness = "ulp" if found.bounds else "exact"
            tried = assert_equivalent(found.before, found.after, exactness, bound=max(found.bounds, default=None))
            assert tried, "no data keep the contract: nothing was compared"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """A difference is its own report, and so is a diagnostic."""
        return str(excinfo.value) if isinstance(excinfo.value, Differs | CnnirError) else str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the test is."""
        return self.path, 0, self.path.name
