"""Pairing two networks from their outputs down: where they part, the reordering that explains it, and what must be equal below.

A rule looks at two values that should be equal and are made differently. It names a reordering, the equation that makes
it right, and pairs of values further down, some of which stand in neither network, that must then be equal in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cnnir.checker.cascades import difference
from cnnir.checker.windows import is_dual, kind_of, same_windows
from cnnir.diagnostics import OpError
from cnnir.ops.arithmetic import Maximum, Minimum
from cnnir.ops.choose import Choose
from cnnir.ops.convolution import Conv
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.pooling import Pooling
from cnnir.ops.tensor import Concat

from .terms import Term, Terms

LARGEST = 64
"""Most layers of a region."""
Pair = tuple[Term, Term]


@dataclass(frozen=True)
class Region:
    """Elementwise terms, producers first, that together are a function of `data` with the value `result`."""

    data: Term
    result: Term
    members: tuple[Term, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What the layers are called."""
        return tuple(term.name for term in self.members)


@dataclass(frozen=True)
class Equation:
    """What a reordering claims of any `data`: that both sides are equal. `law` is the one that would make it right."""

    law: str
    left: Term
    right: Term
    data: Term
    region: Region | None = None
    pool: Pooling | None = None
    """The pool behind the region,"""
    lifted: Pooling | None = None
    """and the one in front of it;"""
    mask: str = ""
    """where each channel has its own, the digest of the mask."""

    @property
    def words(self) -> str:
        """The reordering in words."""
        if self.region is None or self.pool is None or self.lifted is None:
            return f"{self.left.name} and {self.right.name}"
        return f"{' -> '.join(self.region.names)} and {self.pool.name}"


@dataclass(frozen=True)
class Matched:
    """Every reordering between two networks, and pairs that nothing explains."""

    equations: tuple[Equation, ...]
    unexplained: tuple[Pair, ...]


def match(terms: Terms, pairs: list[Pair]) -> Matched:
    """Explain why these pairs are equal."""
    equations: list[Equation] = []
    unexplained: list[Pair] = []
    waiting, seen = list(reversed(pairs)), set[tuple[int, int]]()
    while waiting:
        a, b = waiting.pop()
        if a is b or (id(a), id(b)) in seen:
            continue
        seen.add((id(a), id(b)))
        if a.op == b.op and a.weights == b.weights and a.slot == b.slot and a.inputs and len(a.inputs) == len(b.inputs):
            waiting += reversed(list(zip(a.inputs, b.inputs, strict=True)))
            continue
        found = _explained(terms, a, b)
        if found is None:
            unexplained.append((a, b))
            continue
        equation, rest = found
        equations.append(equation)
        waiting += reversed(rest)
    return Matched(tuple(equations), tuple(unexplained))


def _explained(terms: Terms, a: Term, b: Term) -> tuple[Equation, list[Pair]] | None:
    """The first rule that fits, whichever of the two is the original."""
    for rule in (_regions, _concats, _convolutions, _cascades):
        for first, second, swapped in ((a, b, False), (b, a, True)):
            try:
                found = rule(terms, first, second)
            except OpError:  # pooling would not fit there
                continue
            if found is not None:
                equation, pairs = found
                return equation, [(q, p) for p, q in pairs] if swapped else pairs
    return None


def _regions(terms: Terms, a: Term, b: Term) -> tuple[Equation, list[Pair]] | None:
    """pool(u) against f(pool(y)), max(f(pool(y)), f(dual(y))) or f(choose(pool(y), dual(y))): then u must be f(y)."""
    if not isinstance(a.op, Pooling):
        return None
    for law, region, pooled, mask in (*_valleys(b, a.op), *_lifted(b)):
        op, data = pooled.op, pooled.inputs[0]
        if not isinstance(op, Pooling) or not same_windows(a.op, op):
            continue
        before = applied(terms, region, data)
        left = terms.again(a, (before,))
        if left.type != b.type:
            continue
        return Equation(law or _law(a.op, op), left, b, data, region, a.op, op, mask), [(a.inputs[0], before)]
    return None


def _law(pool: Pooling, lifted: Pooling) -> str:
    if pool == lifted:
        return "affine" if pool.reduce == "avg" else "up"
    return "down" if is_dual(pool, lifted) else "none"


Candidate = tuple[str, Region, Term, str]


def _lifted(b: Term) -> Iterator[Candidate]:
    """f(pool(y)), and f(choose(pool(y), dual(y)))."""
    for region in regions(b):
        if isinstance(region.data.op, Pooling):
            yield "", region, region.data, ""
        elif isinstance(region.data.op, Choose):
            first, second = region.data.inputs
            pools = isinstance(first.op, Pooling) and isinstance(second.op, Pooling) and is_dual(first.op, second.op)
            if pools and first.inputs == second.inputs:
                yield "channel", region, first, region.data.weights["mask"]


def _valleys(b: Term, pool: Pooling) -> Iterator[Candidate]:
    """max(f(pool(y)), f(dual(y))), or min."""
    wanted = {"max": Maximum(), "min": Minimum()}.get(pool.reduce)
    if b.op != wanted or len(b.inputs) != 2:
        return
    for one, other in (b.inputs, b.inputs[::-1]):
        for region in regions(one):
            for twin in regions(other):
                p, q = region.data, twin.data
                pools = isinstance(p.op, Pooling) and isinstance(q.op, Pooling) and p.op == pool and is_dual(p.op, q.op)
                if pools and p.inputs == q.inputs and _same_function(region, twin):
                    yield "valley", region, p, ""


def _same_function(a: Region, b: Region) -> bool:
    partner: dict[int, int] = {id(a.data): id(b.data)}
    for p, q in zip(a.members, b.members, strict=False):
        reads = [partner.get(id(i)) for i in p.inputs]
        if p.op != q.op or p.weights != q.weights or reads != [id(i) for i in q.inputs]:
            return False
        partner[id(p)] = id(q)
    return len(a.members) == len(b.members)


def regions(result: Term) -> Iterator[Region]:
    """Every elementwise region that gives `result`, from the smallest to the largest."""
    members: dict[int, Term] = {}
    outside: dict[int, Term] = {id(result): result}
    while len(members) < LARGEST:
        inner = [t for t in outside.values() if isinstance(t.op, Elementwise) and t.op.name != "choose"]
        deepest = next((t for t in inner if not any(_depends(o, t, 4 * LARGEST) for o in outside.values() if o is not t)), None)
        if deepest is None:
            return
        members[id(deepest)] = deepest
        outside.pop(id(deepest))
        outside |= {id(i): i for i in deepest.inputs}
        if len(outside) == 1:
            (data,) = outside.values()
            yield Region(data, result, tuple(_ordered(list(members.values()))))


def _depends(term: Term, on: Term, most: int) -> bool:
    """Whether a term is made of another, looked for among so many."""
    waiting, seen = list(term.inputs), set[int]()
    while waiting and len(seen) < most:
        current = waiting.pop()
        if current is on:
            return True
        if id(current) not in seen:
            seen.add(id(current))
            waiting += current.inputs
    return False


def _ordered(members: list[Term]) -> list[Term]:
    """Producers first."""
    inside, done, found = {id(t) for t in members}, set[int](), list[Term]()
    stack = list(members)
    while stack:
        term = stack[-1]
        waiting = [i for i in term.inputs if id(i) in inside and id(i) not in done]
        if waiting:
            stack += waiting
            continue
        stack.pop()
        if id(term) not in done:
            done.add(id(term))
            found.append(term)
    return found


def applied(terms: Terms, region: Region, data: Term) -> Term:
    """The region on other data."""
    values = {id(region.data): data}
    for term in region.members:
        values[id(term)] = terms.again(term, tuple(values[id(i)] for i in term.inputs))
    return values[id(region.result)]


def _concats(terms: Terms, a: Term, b: Term) -> tuple[Equation, list[Pair]] | None:
    """g(concat(u, v, ...)) against concat(p, q, ...): then p must be g(u), q g(v), and so on. g pools, or has no weights."""
    if not isinstance(b.op, Concat) or len(a.inputs) != 1 or a.inputs[0].op != b.op or a.weights:
        return None
    inner = a.inputs[0]
    if not isinstance(a.op, Pooling | Elementwise) or len(inner.inputs) != len(b.inputs):
        return None
    if isinstance(a.op, Elementwise) and a.op.written(inner.type):
        return None
    parts = [terms.again(a, (i,)) for i in inner.inputs]
    right = terms.again(b, tuple(parts))
    pool = a.op if isinstance(a.op, Pooling) else None
    return Equation("concat", a, right, inner, None, pool), list(zip(parts, b.inputs, strict=True))


def _convolutions(terms: Terms, a: Term, b: Term) -> tuple[Equation, list[Pair]] | None:
    """pool(conv(u)) against conv(w), the same convolution: then w must be pool(u)."""
    if not isinstance(a.op, Pooling) or not isinstance(b.op, Conv):
        return None
    conv = a.inputs[0]
    if conv.op != b.op or conv.weights != b.weights:
        return None
    pooled = terms.again(a, conv.inputs)
    right = terms.again(b, (pooled,))
    if right.type != a.type:
        return None
    return Equation("pointwise", a, right, conv.inputs[0], None, a.op, a.op), [(pooled, b.inputs[0])]


def _cascades(terms: Terms, a: Term, b: Term) -> tuple[Equation, list[Pair]] | None:
    """pool2(pool1(u)) against pool(w) whose windows are those of both: then w must be u."""
    if not isinstance(a.op, Pooling) or not isinstance(b.op, Pooling) or a.type != b.type:
        return None
    first = a.inputs[0]
    if not isinstance(first.op, Pooling) or {kind_of(op) for op in (a.op, b.op, first.op)} not in ({"max"}, {"min"}):
        return None
    data = first.inputs[0]
    if b.inputs[0].type != data.type or difference(first.op, a.op, b.op, data.type) is not None:
        return None
    return Equation("cascade", a, terms.again(b, (data,)), data, None, a.op, b.op), [(data, b.inputs[0])]
