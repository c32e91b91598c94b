"""Structural equality of networks: iterative, and blind to the names of layers."""

from __future__ import annotations

from cnnir.ops.tensor import Input

from .graph import Graph, Layer, Value


def same_structure(a: Graph, b: Graph) -> bool:
    """Whether two networks have the same inputs, outputs, ops, edges and weights. Layers may be named differently.

    Walks both from their outputs at once; a layer of one must always meet the same layer of the other. Layers that
    no output depends on are not compared.
    """
    if a.inputs != b.inputs or list(a.results) != list(b.results):
        return False
    partner: dict[str, str] = {}
    taken: set[str] = set()
    pending: list[tuple[Value | None, Value | None]] = [(v, b.results[name]) for name, v in a.results.items()]
    while pending:
        mine, theirs = pending.pop()
        if mine is None or theirs is None:
            if mine is not theirs:
                return False
            continue
        if mine.slot != theirs.slot:
            return False
        if mine.layer in partner or theirs.layer in taken:
            if partner.get(mine.layer) != theirs.layer:
                return False
            continue
        if not _same_layer(a, b, a[mine.layer], b[theirs.layer]):
            return False
        partner[mine.layer] = theirs.layer
        taken.add(theirs.layer)
        left, right = a.operands(mine.layer), b.operands(theirs.layer)
        if len(left) != len(right):
            return False
        pending.extend(zip(left, right, strict=True))
    return True


def _same_layer(a: Graph, b: Graph, mine: Layer, theirs: Layer) -> bool:
    if mine.op != theirs.op or mine.outputs != theirs.outputs:
        return False
    if isinstance(mine.op, Input) and mine.name != theirs.name:
        return False
    left, right = dict(mine.weights), dict(theirs.weights)
    return left.keys() == right.keys() and all(a.weights.same(left[r], b.weights, right[r]) for r in left)
