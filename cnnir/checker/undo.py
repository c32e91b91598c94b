"""Taking a rewrite back: each law's shape in the rewritten network is found by names and edges, checked, and replaced by the old one.

Not known here, and so never confirmed: `absorb`, whose clamp is gone from the network, and the modes `split` and `separate` of
`cascade`, after which there are more pools than before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cnnir.decisions import Decision
from cnnir.ir.graph import Graph, Layer, Use, Value
from cnnir.ops.arithmetic import Maximum, Minimum
from cnnir.ops.base import Op
from cnnir.ops.choose import Choose
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import Pooling

from .windows import dual_of, is_dual, kind_of, same_windows


class NotSo(Exception):
    """The network does not look as the rewrite would have left it; the words say where."""


class Unknown(Exception):
    """The checker has never heard of such a rewrite."""


@dataclass(frozen=True)
class Undone:
    """A rewrite taken back: the value of the site after it, and of a channel move its mask's name in the weights."""

    result: Value
    mask: str = ""


def undo(graph: Graph, decision: Decision) -> Undone:
    """Take back a decision in `graph`, which is changed; raises NotSo, or Unknown for what is not known here."""
    pool, names, law = decision.site.pool, decision.site.region, decision.law
    if decision.site.behind:
        if law not in _REDO:
            raise Unknown(f"the checker does not know the law `{law}` backwards")
        return _REDO[law](graph, pool, names)
    if law not in _UNDO:
        raise Unknown(f"the checker does not know the law `{law}`")
    return _UNDO[law](graph, pool, names)


def undo_cascade(graph: Graph, decision: Decision, first: Pooling, second: Pooling) -> Undone:
    """Make two pools again of one."""
    pool = decision.site.pool
    _pool(graph, pool)
    if len(decision.site.region) != 1 or decision.site.region[0] in graph:
        raise Unknown("only two pools that became one are taken apart")
    (name,) = decision.site.region
    value = graph.add(first, [graph.data(pool)[0]], name=name)
    graph.connect(Use(pool, 0), value)
    graph.revise(pool, op=second)
    return Undone(Value(pool))


def _pool(graph: Graph, name: str) -> Pooling:
    if name not in graph:
        raise NotSo(f"there is no pool `{name}`")
    op = graph[name].op
    if not isinstance(op, Pooling):
        raise NotSo(f"`{name}` is no pool")
    for value in graph.values(name)[1:]:
        if graph.is_output(value) or graph.uses(value):
            raise NotSo(f"not only the elements that `{name}` picks are used")
    return op


def _region(graph: Graph, names: tuple[str, ...]) -> tuple[Value, Value]:
    """The one value that the layers read from outside, and the one of theirs that is read there."""
    for name in names:
        if name not in graph:
            raise NotSo(f"there is no layer `{name}`")
        if not isinstance(graph[name].op, Elementwise):
            raise NotSo(f"`{name}` is not elementwise")
    inside = set(names)
    outside = {v for name in names for v in graph.data(name) if v.layer not in inside}
    shown = [n for n in names if graph.is_output(Value(n)) or any(use.layer not in inside for use in graph.readers(Value(n)))]
    if len(outside) != 1:
        raise NotSo(f"`{' -> '.join(names)}` reads {len(outside)} values from outside")
    if len(shown) != 1:
        raise NotSo(f"of `{' -> '.join(names)}`, {len(shown)} values are read outside")
    return outside.pop(), Value(shown[0])


def _only_read_by(graph: Graph, name: str, readers: set[str]) -> None:
    found = {use.layer for use in graph.readers(Value(name))}
    if graph.is_output(Value(name)) or not found <= readers:
        raise NotSo(f"`{name}` is also read by {', '.join(f'`{n}`' for n in sorted(found - readers)) or 'the user'}")


def _lower(graph: Graph, pool: str, names: tuple[str, ...], result: Value, entry: Value, op: Op) -> None:
    """Put the pool behind the region again, which reads what the pool read."""
    data = graph.data(pool)[0]
    uses = [Use(n, slot) for n in names for slot, v in enumerate(graph.operands(n)) if v == entry]
    graph.replace_uses(result, Value(pool))
    for use in uses:
        graph.connect(use, data)
    graph.connect(Use(pool, 0), result)
    for name in _in_order(graph, names):
        graph.revise(name)
    graph.revise(pool, op=op)


def _in_order(graph: Graph, names: tuple[str, ...]) -> list[str]:
    waiting, done = list(names), list[str]()
    while waiting:
        name = next((n for n in waiting if not any(v.layer in waiting for v in graph.data(n))), None)
        if name is None:
            raise NotSo("its layers read one another in a circle")
        waiting.remove(name)
        done.append(name)
    return done


def _lifted(graph: Graph, pool: str, names: tuple[str, ...]) -> Undone:
    """data -> pool -> region: the laws up and affine."""
    op = _pool(graph, pool)
    return _lowered(graph, pool, names, op)


def _turned(graph: Graph, pool: str, names: tuple[str, ...]) -> Undone:
    """data -> dual pool -> region: the law down."""
    return _lowered(graph, pool, names, _dual_of(_pool(graph, pool)))


def _dual_of(op: Pooling) -> Pooling:
    found = dual_of(op)
    if found is None:
        raise NotSo(f"`{op.name}` has no dual")
    return found


def _lowered(graph: Graph, pool: str, names: tuple[str, ...], op: Pooling) -> Undone:
    entry, result = _region(graph, names)
    if entry != Value(pool):
        raise NotSo(f"`{' -> '.join(names)}` reads `{entry.layer}`, not `{pool}`")
    _only_read_by(graph, pool, set(names))
    _lower(graph, pool, names, result, entry, op)
    return Undone(result)


def _chosen(graph: Graph, pool: str, names: tuple[str, ...]) -> Undone:
    """choose(data -> pool, data -> dual pool, mask) -> region: the law channel."""
    op = _pool(graph, pool)
    entry, result = _region(graph, names)
    choose = graph[entry.layer]
    if not isinstance(choose.op, Choose):
        raise NotSo(f"`{' -> '.join(names)}` reads `{entry.layer}`, which chooses nothing")
    first, second = graph.data(choose.name)
    dual = _pool(graph, second.layer)
    if first != Value(pool) or not is_dual(op, dual) or graph.data(pool) != graph.data(second.layer):
        raise NotSo(f"`{choose.name}` does not choose between `{pool}` and its dual on the same data")
    _only_read_by(graph, choose.name, set(names))
    _only_read_by(graph, pool, {choose.name})
    _only_read_by(graph, second.layer, {choose.name})
    _lower(graph, pool, names, result, entry, op)
    graph.remove(choose.name)
    graph.remove(second.layer)
    return Undone(result, dict(choose.weights)["mask"])


def _doubled(graph: Graph, pool: str, names: tuple[str, ...]) -> Undone:
    """max(data -> pool -> region, data -> dual pool -> the same region), or min: the law valley."""
    op = _pool(graph, pool)
    entry, result = _region(graph, names)
    if entry != Value(pool):
        raise NotSo(f"`{' -> '.join(names)}` reads `{entry.layer}`, not `{pool}`")
    readers = {use.layer for use in graph.readers(result)}
    if len(readers) != 1 or graph.is_output(result):
        raise NotSo(f"`{result.layer}` is read by {len(readers)} layers, not by the one that combines both ends")
    (both,) = readers
    wanted = {"max": Maximum, "min": Minimum}.get(kind_of(op))
    combined = graph[both].op
    operands = graph.data(both)
    if wanted is None or combined != wanted() or len(operands) != 2 or operands.count(result) != 1:
        raise NotSo(f"`{both}` does not take the {kind_of(op)} of both ends")
    other = next(v for v in operands if v != result)
    twins, dual = _twins(graph, names, result, other, Value(pool))
    if not is_dual(op, _pool(graph, dual)) or graph.data(pool) != graph.data(dual):
        raise NotSo(f"`{dual}` is not the dual of `{pool}` on the same data")
    _only_read_by(graph, pool, set(names))
    _only_read_by(graph, dual, set(twins))
    for twin in twins:
        _only_read_by(graph, twin, {both, *twins})
    graph.replace_uses(Value(both), result)
    graph.remove(both)
    for name in [*reversed(_in_order(graph, tuple(twins))), dual]:
        graph.remove(name)
    _lower(graph, pool, names, result, entry, op)
    return Undone(Value(both))


def _twins(graph: Graph, names: tuple[str, ...], mine: Value, theirs: Value, pool: Value) -> tuple[list[str], str]:
    """The layers of a copy of the region that gives `theirs`, and the pool it reads."""
    partner: dict[Value, Value] = {}
    pending = [(mine, theirs)]
    while pending:
        a, b = pending.pop()
        if partner.setdefault(a, b) != b:
            raise NotSo(f"`{b.layer}` stands where `{partner[a].layer}` should")
        if a == pool:
            continue
        p, q = graph[a.layer], graph[b.layer]
        if p.op != q.op or p.weights != q.weights or len(graph.data(p.name)) != len(graph.data(q.name)):
            raise NotSo(f"`{q.name}` is no copy of `{p.name}`")
        pending += zip(graph.data(p.name), graph.data(q.name), strict=True)
    if pool not in partner:
        raise NotSo(f"`{theirs.layer}` does not depend on a pool")
    twins = [b.layer for a, b in partner.items() if a != pool]
    if len({*twins}) != len(twins) or {*twins} & {*names}:
        raise NotSo("a layer is a copy of itself")
    return twins, partner[pool].layer


def _joined(graph: Graph, pool: str, names: tuple[str, ...]) -> Undone:
    """concat(a -> pool, b -> pool, ...): the law concat."""
    op, (concat,) = _pool(graph, pool), names
    if concat not in graph or graph[concat].op.name != "concat":
        raise NotSo(f"there is no concat `{concat}`")
    pools = graph.data(concat)
    if Value(pool) not in pools:
        raise NotSo(f"`{concat}` does not read `{pool}`")
    for value in pools:
        if _pool(graph, value.layer) != op:
            raise NotSo(f"`{value.layer}` is not the same pool as `{pool}`")
        _only_read_by(graph, value.layer, {concat})
    sources = [graph.data(value.layer)[0] for value in pools]
    graph.replace_uses(Value(concat), Value(pool))
    for slot, source in enumerate(sources):
        graph.connect(Use(concat, slot), source)
    graph.revise(concat)
    graph.connect(Use(pool, 0), Value(concat))
    graph.revise(pool)
    for name in dict.fromkeys(value.layer for value in pools):
        if name != pool:
            graph.remove(name)
    return Undone(Value(concat))


def _convolved(graph: Graph, pool: str, names: tuple[str, ...]) -> Undone:
    """data -> pool -> convolution: the law pointwise."""
    op, (conv,) = _pool(graph, pool), names
    if conv not in graph or graph.data(conv) != [Value(pool)]:
        raise NotSo(f"`{conv}` does not read `{pool}`")
    _only_read_by(graph, pool, {conv})
    data = graph.data(pool)[0]
    graph.replace_uses(Value(conv), Value(pool))
    graph.connect(Use(conv, 0), data)
    graph.revise(conv)
    graph.connect(Use(pool, 0), Value(conv))
    graph.revise(pool, op=op)
    return Undone(Value(conv))


_UNDO: Mapping[str, Callable[[Graph, str, tuple[str, ...]], Undone]] = {
    "up": _lifted, "down": _turned, "affine": _lifted, "channel": _chosen, "valley": _doubled, "concat": _joined, "pointwise": _convolved,
}  # fmt: skip


def _raised(graph: Graph, pool: str, names: tuple[str, ...], op: Pooling) -> Undone:
    """data -> region -> pool becomes data -> pool -> region: a move backwards is taken back forwards."""
    entry, result = _region(graph, names)
    if graph.data(pool) != [result]:
        raise NotSo(f"`{pool}` does not read `{' -> '.join(names)}`")
    _only_read_by(graph, result.layer, {pool})
    uses = [Use(n, slot) for n in names for slot, v in enumerate(graph.operands(n)) if v == entry]
    graph.replace_uses(Value(pool), result)
    for use in uses:
        graph.connect(use, Value(pool))
    graph.connect(Use(pool, 0), entry)
    graph.revise(pool, op=op)
    for name in _in_order(graph, names):
        graph.revise(name)
    return Undone(result)


def _deconvolved(graph: Graph, pool: str, names: tuple[str, ...]) -> Undone:
    """data -> convolution -> pool becomes data -> pool -> convolution."""
    op, (conv,) = _pool(graph, pool), names
    if conv not in graph or graph.data(pool) != [Value(conv)] or len(graph.data(conv)) != 1:
        raise NotSo(f"`{pool}` does not read `{conv}`")
    _only_read_by(graph, conv, {pool})
    data = graph.data(conv)[0]
    graph.replace_uses(Value(pool), Value(conv))
    graph.connect(Use(conv, 0), Value(pool))
    graph.connect(Use(pool, 0), data)
    graph.revise(pool, op=op)
    graph.revise(conv)
    return Undone(Value(conv))


_REDO: Mapping[str, Callable[[Graph, str, tuple[str, ...]], Undone]] = {
    "up": lambda graph, pool, names: _raised(graph, pool, names, _pool(graph, pool)),
    "down": lambda graph, pool, names: _raised(graph, pool, names, _dual_of(_pool(graph, pool))),
    "affine": lambda graph, pool, names: _raised(graph, pool, names, _pool(graph, pool)),
    "pointwise": _deconvolved,
}


def difference(wanted: Graph, found: Graph) -> str | None:
    """Where two networks differ, layer by layer and by name; None where they do not."""
    names = [{layer.name for layer in graph.layers()} for graph in (wanted, found)]
    for name in sorted(names[0] ^ names[1]):
        return f"`{name}` is {'missing' if name in names[0] else 'new'}"
    if wanted.results != found.results:
        return "the outputs are other values"
    for layer in wanted.layers():
        other = found[layer.name]
        alike = layer.op == other.op or _picks_alike(wanted, layer, other)
        if not alike:
            return f"`{layer.name}` is another operation"
        if wanted.operands(layer.name) != found.operands(layer.name):
            return f"`{layer.name}` reads something else"
        if layer.type != other.type:
            return f"`{layer.name}` is of another type"
        mine, theirs = dict(layer.weights), dict(other.weights)
        if mine.keys() != theirs.keys() or not all(wanted.weights.same(mine[r], found.weights, theirs[r]) for r in mine):
            return f"`{layer.name}` has other weights"
    return None


def _picks_alike(graph: Graph, wanted: Layer, found: Layer) -> bool:
    """Whether two pools pick the same elements, and nobody asks the first where they are."""
    a, b = wanted.op, found.op
    pools = isinstance(a, Pooling) and isinstance(b, Pooling) and kind_of(a) == kind_of(b) and same_windows(a, b)
    return pools and not any(graph.uses(v) or graph.is_output(v) for v in graph.values(wanted.name)[1:])
