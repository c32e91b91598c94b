"""Graph -> `.cnn` text, the inverse of parsing: `parse(dumps(graph)) == graph`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.files import write_atomically
from cnnir.ops.activation import UserActivation
from cnnir.ops.arithmetic import Binary
from cnnir.ops.base import Op
from cnnir.ops.opaque import Opaque
from cnnir.ops.registry import OPS
from cnnir.ops.tensor import Input
from cnnir.scalar.primitives import PRIMITIVES
from cnnir.types import TensorType

from . import spelling
from .blocks import folded
from .graph import Graph, Layer, Value
from .payload import opaque
from .weights import Seeded, Stored

WIDTH = 110

_SIGNATURE = {"written_by": "cnnir"}
"""In the metadata of weights that `save` wrote, and may replace."""


def dumps(graph: Graph, weights: str | None = None) -> str:
    """The network as text; `weights` is the name of the file that holds its weights, beside the text."""
    return _Printer(graph).text(weights)


def save(graph: Graph, path: str | Path) -> None:
    """Write the text, and a `.safetensors` of the same name beside it unless every weight is drawn from its key.

    Raises CnnirError (exit code 2) where a file of that name is there that neither this function wrote nor the network reads.
    """
    target = Path(path)
    keys = sorted({key for layer in graph.layers() for _, key in layer.weights})
    beside: str | None = None
    if not all(_seeded(graph, key) for key in keys):
        from safetensors.numpy import save as serialize

        store = target.with_suffix(".safetensors")
        _refuse_stranger(store, graph)
        content = serialize({key: graph.weights[key] for key in keys}, _SIGNATURE)
        beside = store.name
        write_atomically(store, content)  # a new file: what is mapped from the old one stays as it is
    write_atomically(target, dumps(graph, beside).encode())


def _refuse_stranger(path: Path, graph: Graph) -> None:
    """Raise CnnirError where weights at `path` are not this network's and were not written by `save`."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return
    sources = [graph.weights.source(key) for key in graph.weights]
    if any(isinstance(s, Stored) and s.path.resolve() == path.resolve() for s in sources):
        return
    try:
        opened: Any = safe_open(path, framework="numpy")  # its class is Rust and has no types
        with opened as file:
            ours = (file.metadata() or {}).items() >= _SIGNATURE.items()
    except (SafetensorError, OSError):
        ours = False
    if not ours:
        help = "choose another name for the network, or move that file away"
        raise CnnirError(Diagnostic("C0501", f"`{path}` exists and was not written by cnnir", help=help), exit_code=2)


def _seeded(graph: Graph, key: str) -> bool:
    source = graph.weights.source(key)
    return isinstance(source, Seeded) and source.key == key


def spell(op: Op, data: TensorType | None = None) -> str:
    """An op as a step of a chain, applied to an input of type `data` where that is known."""
    if isinstance(op, UserActivation):
        return spelling.name(op.function)
    if isinstance(op, Opaque):
        return opaque(op, ())
    name, arguments = spelling.operation(op, data)
    if isinstance(op, Binary) and op.constant is not None:
        number = spelling.number(op.constant)
        arguments = [number, "x"] if op.reverse else [number]
    return f"{name}({', '.join(arguments)})" if arguments else name


class _Printer:
    """One graph on its way to text; statements are written in topological order, chains as long as they go."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._functions: dict[UserActivation, str] = {}
        self._function_names: set[str] = {*OPS, *PRIMITIVES, "depthwise"}
        self._values: dict[Value, str] = {}
        self._taken: set[str] = set()
        self._layer_names: set[str] = set(graph.inputs)
        self._ordinals: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._results: dict[Value, list[str]] = {}
        for name, value in graph.results.items():
            self._results.setdefault(value, []).append(name)
        self._last = next(reversed([layer.name for layer in graph.layers()]), "")
        self._lines: list[str] = []

    def text(self, weights: str | None) -> str:
        for layer in self._graph.layers():
            if isinstance(layer.op, Input):
                self._values[Value(layer.name)] = layer.name
                self._taken.add(layer.name)
        chains: dict[Value, list[Layer]] = {}
        for layer in self._graph.layers():
            if not isinstance(layer.op, Input):
                self._statement(layer, chains)
        self._return()
        head = [f"weights {spelling.quoted(weights)}", ""] if weights else []
        head += [f"activation {spelling.name(f)}(x) = {spelling.expression(op.body)}" for op, f in self._functions.items()]
        head += [""] if self._functions else []
        return "\n".join([*head, f"network {spelling.name(self._graph.name)}({self._inputs()}) {{", *self._lines, "}", ""])

    def _inputs(self) -> str:
        found: list[str] = []
        for layer in self._graph.layers():
            if isinstance(layer.op, Input):
                bounds = layer.op.range
                within = f" in [{spelling.number(bounds[0])}, {spelling.number(bounds[1])}]" if bounds else ""
                found.append(f"{spelling.name(layer.name)}: {layer.op.type}{within}")
        return ", ".join(found)

    # -- statements ---------------------------------------------------------------------------------------------------

    def _statement(self, layer: Layer, chains: dict[Value, list[Layer]]) -> None:
        """Make the chain that ends in this layer; write it where its value needs a name."""
        operands = self._graph.operands(layer.name)
        chain = chains.pop(operands[0], []) if operands and operands[0] else []
        chain.append(layer)
        value, *others = self._graph.values(layer.name)
        if others:
            self._define(layer, self._pieces(chain))
            return
        uses = self._graph.uses(value)
        if len(uses) == 1 and uses[0].slot == 0 and value not in self._results and not _reversed(self._graph[uses[0].layer].op):
            chains[value] = chain
            return
        pieces = self._pieces(chain)
        if not uses and layer.name == self._last and len(self._graph.results) == 1 and "output" in self._graph.results:
            self._write(pieces)
            return
        self._define(layer, pieces)

    def _define(self, layer: Layer, pieces: list[str]) -> None:
        """Write a chain that ends in this layer, with names for its outputs."""
        for value in self._graph.values(layer.name):
            named = next((n for n in self._results.get(value, ()) if n not in self._taken), None)
            self._values[value] = self._free(named or layer.name.rpartition("/")[2] or "value", self._taken)
        names = ", ".join(spelling.name(self._values[value]) for value in self._graph.values(layer.name))
        self._write([f"{names} = {pieces[0]}", *pieces[1:]])

    def _free(self, stem: str, taken: set[str]) -> str:
        """The stem, or the stem with a number, whichever is not taken; it is taken from then on."""
        name, number = stem, self._numbers.get(stem, 2)
        while name in taken:
            name, number = f"{stem}_{number}", number + 1
        self._numbers[stem] = number  # where the search ended: 100,000 of one name stay linear
        taken.add(name)
        return name

    def _pieces(self, chain: list[Layer]) -> list[str]:
        """Head and steps of a chain."""
        first, *rest = chain
        operands = self._operands(first)
        if len(operands) != 1 or _reversed(first.op):
            return [self._call(first, operands), *(self._step(layer) for layer in rest)]
        return [operands[0], *(self._step(layer) for layer in chain)]

    def _step(self, layer: Layer) -> str:
        return self._call(layer, self._operands(layer)[1:])

    def _operands(self, layer: Layer) -> list[str]:
        """The names of a layer's inputs; those of a value that goes on in its chain is never read."""
        return ["none" if v is None else spelling.name(self._values.get(v, "")) for v in self._graph.operands(layer.name)]

    def _call(self, layer: Layer, operands: list[str]) -> str:
        op = layer.op
        if isinstance(op, UserActivation):
            name, arguments = self._function(op), []
            return spelling.name(name) if not operands else f"{name}({', '.join(operands)})"
        if isinstance(op, Opaque):
            return opaque(op, operands, self._weights(layer, op.kind))
        data = self._graph.data(layer.name)
        name, arguments = spelling.operation(op, self._graph.type(data[0]) if data else None)
        if isinstance(op, Binary) and op.constant is not None:
            arguments = [spelling.number(op.constant)]
        arguments = [*arguments, *operands] if _reversed(op) else [*operands, *arguments]
        arguments += self._weights(layer, name)
        return f"{name}({', '.join(arguments)})" if arguments else name

    def _function(self, op: UserActivation) -> str:
        """The name that an activation is defined under: its own, unless an op or another activation has it."""
        if op not in self._functions:
            stem = op.function if spelling.name(op.function) == op.function else "f"
            self._functions[op] = self._free(stem, self._function_names)
        return self._functions[op]

    def _weights(self, layer: Layer, stem: str) -> list[str]:
        """`name=` where that gives the layer its keys, else each key that is not the usual one."""
        usual = self._next_name(stem)
        if not layer.weights or all(key == f"{usual}.{role}" for role, key in layer.weights):
            self._layer_names.add(usual)
            return []
        if layer.name not in self._layer_names and all(key == f"{layer.name}.{role}" for role, key in layer.weights):
            self._ordinals[stem] -= 1  # a layer with a name of its own takes no ordinal
            self._layer_names.add(layer.name)
            return [f"name={spelling.quoted(layer.name)}"]
        self._layer_names.add(usual)
        return [f"{role}={spelling.quoted(key)}" for role, key in layer.weights if key != f"{usual}.{role}"]

    def _next_name(self, stem: str) -> str:
        """The name that the parser will give the next layer of this op."""
        while True:
            self._ordinals[stem] = self._ordinals.get(stem, 0) + 1
            name = f"{stem}{self._ordinals[stem]}"
            if name not in self._layer_names:
                return name

    # -- lines --------------------------------------------------------------------------------------------------------

    def _return(self) -> None:
        results = self._graph.results
        if len(results) == 1 and next(iter(results.values())) not in self._values:
            return  # the last chain is the output
        items = [(n, self._values[v]) for n, v in results.items()]
        if items:
            listing = (spelling.name(n) if n == v else f"{spelling.name(n)} = {spelling.name(v)}" for n, v in items)
            self._lines.append(f"    return {', '.join(listing)}")

    def _write(self, pieces: list[str]) -> None:
        pieces = [pieces[0], *folded(pieces[1:])]
        line = f"    {pieces[0]}"
        for piece in pieces[1:]:
            if len(line) + len(piece) + 4 > WIDTH:
                self._lines.append(line)
                line = "         "
            line += f" -> {piece}"
        self._lines.append(line)


def _reversed(op: Op) -> bool:
    """Whether the op is written with its number first, which a chain cannot."""
    return isinstance(op, Binary) and op.reverse
