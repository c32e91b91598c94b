"""What a word of a pattern may call a layer: classes that are asked of its op, and names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from cnnir.diagnostics import CnnirError, Diagnostic, Label, nearest
from cnnir.ir.graph import Graph, Layer
from cnnir.ir.spelling import operation
from cnnir.ops.activation import UserActivation
from cnnir.ops.base import Op
from cnnir.ops.convolution import Conv, Dense
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import Pooling
from cnnir.ops.registry import OPS

from .pattern import Pattern, Repeat, Word

CLASSES: Mapping[str, Callable[[Op], bool]] = {
    "CONV": lambda op: isinstance(op, Conv),
    "ACT": lambda op: isinstance(op, Elementwise) and op.activation,
    "POOL": lambda op: isinstance(op, Pooling),
    "FC": lambda op: isinstance(op, Dense),
    "ANY": lambda op: True,
}
"""Class -> whether an op is of it."""


def labels(graph: Graph, layer: Layer) -> frozenset[str]:
    """Every word that means this layer."""
    op = layer.op
    names = {op.name, *(word for word, member in CLASSES.items() if member(op))}
    if isinstance(op, UserActivation):
        names.add(op.function)
    elif isinstance(op, Conv):
        names.add(operation(op, graph.type(graph.data(layer.name)[0]))[0])
    return frozenset(names)


def words(pattern: Pattern) -> Iterator[Word]:
    """The words of a pattern."""
    pending: list[Pattern] = [pattern]
    while pending:
        node = pending.pop()
        if isinstance(node, Word):
            yield node
        elif isinstance(node, Repeat):
            pending.append(node.body)
        else:
            pending.extend(reversed(node.items))


def check_words(pattern: Pattern, known: frozenset[str]) -> None:
    """Raise CnnirError (exit code 2) for words that can mean no layer: `known` are the names that this network adds."""
    names = [*CLASSES, *OPS, "depthwise", *sorted(known)]
    problems: list[Diagnostic] = []
    for word in words(pattern):
        if word.text not in names:
            near = nearest(word.text, names) or nearest(word.text.upper(), CLASSES)
            help = f"did you mean `{near}`?" if near else f"classes are {', '.join(CLASSES)}; any layer of the language has its name"
            problems.append(Diagnostic("C0211", f"there is no layer `{word.text}`", (Label(word.span),), help=help))
    if problems:
        raise CnnirError(problems, 2)
