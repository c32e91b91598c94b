"""The house keeps its order: who may import whom, when, and how large a file may grow. Read from the syntax, nothing is run."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import networkx as nx
import pytest

ROOMS = ("frontends", "passes", "backends", "grammar")
MAY_KNOW = {
    "grammar": set[str](),
    "core": {"core"},
    "frontends": {"frontends", "core", "grammar"},
    "passes": {"passes", "core"},
    "backends": {"backends", "core"},
    "surface": {"surface", "core", *ROOMS},  # cnnir/api.py, cnnir/cli, cnnir/testing and cnnir/__init__.py: the only ones that know all
}
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60


@dataclass(frozen=True)
class Import:
    """One import statement's target; `when` is `now`, `lazy` (inside a function) or `typing`."""

    target: str
    line: int
    when: str
    relative: bool


def folder(package: str) -> Path:
    """Where a package lies: in the tree, or in site-packages where the wheel is under test."""
    spec = find_spec(package)
    assert spec is not None, f"{package} is not installed"
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


@cache
def modules() -> dict[str, Path]:
    """Every module of cnnir by its dotted name."""
    found: dict[str, Path] = {}
    for package in ("cnnir", *(f"cnnir.{room}" for room in ROOMS)):
        top = folder(package)
        for path in sorted(top.rglob("*.py")):
            parts = path.relative_to(top).with_suffix("").parts
            name = ".".join((package, *parts)).removesuffix(".__init__")
            if package != "cnnir" or parts[0] not in ROOMS:
                found[name] = path
    return found


def room(module: str) -> str:
    """The room a module belongs to."""
    first = (module.split(".") + [""])[1]
    if first in ROOMS:
        return first
    return "surface" if first in ("", "api", "cli", "testing") else "core"


@cache
def tree(module: str) -> ast.Module:
    """The module's syntax."""
    return ast.parse(modules()[module].read_text("utf-8"))


@cache
def imports(module: str) -> tuple[Import, ...]:
    """What the module imports, and when."""
    package = module if modules()[module].name == "__init__.py" else module.rpartition(".")[0]
    return tuple(_imports(tree(module), package, "now"))


def _imports(node: ast.AST, package: str, when: str) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(name.name, child.lineno, when, False) for name in child.names)
        elif isinstance(child, ast.ImportFrom):
            up = package.split(".")
            base = ".".join([*up[: len(up) - child.level + 1], *filter(None, [child.module])]) if child.level else child.module or ""
            for name in child.names:
                whole = f"{base}.{name.name}"
                yield Import(whole if whole in modules() else base, child.lineno, when, child.level > 0)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for part in child.body:
                yield from _imports(ast.Module([part], []), package, "typing")
            for part in child.orelse:
                yield from _imports(ast.Module([part], []), package, when)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _imports(child, package, "lazy" if when == "now" else when)
        else:
            yield from _imports(child, package, when)


def everything() -> Iterator[tuple[str, Import]]:
    """Every import statement with the module that holds it."""
    for module in modules():
        for statement in imports(module):
            yield module, statement


def report(problems: list[str]) -> None:
    """Fail with one line for each problem."""
    if problems:
        pytest.fail("\n".join(dict.fromkeys(problems)), pytrace=False)


def where(module: str, statement: Import) -> str:
    return f"{modules()[module]}:{statement.line}: {module} imports {statement.target}"


def test_every_room_is_seen() -> None:
    assert {room(module) for module in modules()} == set(MAY_KNOW)
    assert len(modules()) > 50


def test_rooms_know_only_whom_they_may() -> None:
    report([
        f"{where(module, s)}: {room(module)} may not know {room(s.target)}"
        for module, s in everything()
        if s.target.split(".")[0] == "cnnir" and room(s.target) not in MAY_KNOW[room(module)]
    ])  # fmt: skip


def test_the_checker_shares_nothing_with_the_rewriter() -> None:
    """What checks certificates must not use what made them: only what ops declare of themselves, and the network."""
    never = ("cnnir.facts", "cnnir.analysis", "cnnir.passes", "cnnir.price")
    report([where(m, s) for m, s in everything() if m.startswith("cnnir.checker") and s.target.startswith(never)])
    assert any(m.startswith("cnnir.checker.") for m in modules())


def test_the_surface_imports_rooms_when_they_are_used() -> None:
    report(
        [
            where(m, s)
            for m, s in everything()
            if room(m) == "surface" and room(s.target) in ROOMS and s.when == "now" and s.target.startswith("cnnir.")
        ]
    )


def test_rooms_have_one_name() -> None:
    """`import frontends`, from the repository's root, would be a second copy of every class."""
    report([f"{where(m, s)}: say cnnir.{s.target}" for m, s in everything() if s.target.split(".")[0] in ROOMS])


def test_imports_inside_a_room_are_relative() -> None:
    report([
        f"{where(module, s)}: import it relatively"
        for module, s in everything()
        if room(module) in ROOMS and s.target.startswith(f"cnnir.{room(module)}") and not s.relative
    ])  # fmt: skip


def test_no_import_cycles() -> None:
    """Importing a module runs the packages above it first, so those count too, unless the importer is inside them."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for module, statement in everything():
        if statement.when == "now" and statement.target in modules():
            parts = statement.target.split(".")
            for package in (".".join(parts[: i + 1]) for i in range(len(parts))):
                if package == statement.target or not f"{module}.".startswith(f"{package}."):
                    graph.add_edge(module, package)
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    report([" <-> ".join(sorted(group)) for group in nx.strongly_connected_components(graph) if len(group) > 1])


def test_files_and_functions_stay_readable() -> None:
    problems: list[str] = []
    tests = {str(path): path for path in Path(__file__).parent.rglob("*.py")}
    for path in (modules() | tests).values():
        lines = len(path.read_text("utf-8").splitlines())
        if lines > MOST_LINES_OF_A_FILE:
            problems.append(f"{path}: {lines} lines, at most {MOST_LINES_OF_A_FILE}")
    for module, path in modules().items():
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.FunctionDef) and (lines := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES_OF_A_FUNCTION:
                problems.append(f"{path}:{node.lineno}: {node.name} has {lines} lines, at most {MOST_LINES_OF_A_FUNCTION}")
    report(problems)


@pytest.mark.parametrize(
    ("what", "never"),
    [
        pytest.param("import cnnir", "tvm networkx lark numpy", id="import cnnir"),
        pytest.param("from cnnir.cli import main; main(['--help'])", "tvm networkx lark numpy onnx torch", id="cnnc --help"),
    ],
)
def test_starts_light(what: str, never: str) -> None:
    script = f"""
import sys
try:
    {what}
except SystemExit as stop:
    assert not stop.code, stop.code
heavy = sorted(set({never.split()!r}) & set(sys.modules))
print(*heavy, file=sys.stderr)
sys.exit(bool(heavy))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
