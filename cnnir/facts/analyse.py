"""Facts of a formula on a range, by abstract interpretation over its primitives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from cnnir.scalar.expr import Apply, Const, Expr, Param, Var, converts, has_variable, leaves, nodes, with_number
from cnnir.scalar.primitives import Primitive
from cnnir.scalar.typed import argument_dtypes

from .calculus import Study, study
from .chain import composed, modulus, split
from .counted import counted
from .fact import Fact, Grade, constant, identity, nothing, worst
from .interval import Interval, unknown
from .jet import differentiable
from .lattice import DOWN, LEVEL, MONOTONE, UNKNOWN, UP, compose, glue
from .precision import Precision, Whole, precision
from .resolve import LARGEST, resolved
from .transfer import apply, fits, seam

Coefficients = Mapping[str, Interval]
Select = Callable[[Apply, Fact, Fact, str], Fact]
_NOTHING = nothing(Interval(-math.inf, math.inf, True, True))
DEPTH = 40
"""Selects inside selects beyond this are not looked into."""
WORK = 5_000
"""Primitive applications after which an analysis gives up with UNKNOWN."""
SPLITS = 9
"""Most points at which a range is cut to find the direction piece by piece."""


class _TooMuchWork(Exception):
    """The formula is too large, or its selects are nested too deeply, to be worth more time."""


class Analysis:
    """Interprets formulas of variables of one precision, whose coefficients lie in given intervals."""

    def __init__(self, precision: Precision, coefficients: Coefficients | None = None) -> None:
        self.precision = precision
        self.coefficients = coefficients or {}
        self.wraps: dict[str, str] = {}
        """Primitives whose results might not fit, and so wrap around -> the integer dtype that would have to hold them."""
        self._work = 0
        self._known: dict[int, tuple[Expr, bool, Mapping[int, str | None]]] = {}

    def on(self, expr: Expr, domain: Interval) -> Fact:
        """Facts of `expr` as a function of Var(0) in `domain`; where they say little the range is cut and glued, or the
        derivative is bounded."""
        try:
            return self._on(expr, domain)
        except _TooMuchWork:
            return _NOTHING

    def _on(self, expr: Expr, domain: Interval) -> Fact:
        """Composition; where that finds no direction, or none that is bounded, trying every number, or calculus."""
        fact = self._composed(expr, domain)
        if fact.direction.is_monotone and fact.bound is not None and not fact.range.nan:
            return fact
        either = self._either(expr, domain)
        if either is not None:
            return either
        tried = counted(expr, domain, self.precision, self.coefficients)
        if tried is not None:
            self.wraps.clear()
            if tried.direction != UNKNOWN and tried.bound == 0 and tried.direction <= fact.direction:
                return tried
            fact = replace(fact, range=tried.range)
        if fact.direction != UNKNOWN and fact.bound is not None and not fact.range.nan:
            return fact
        bounded = tried if tried is not None and tried.direction != UNKNOWN else None
        found = self._calculated(expr, domain, fact)
        if bounded is None or bounded.bound is None:
            return found
        known = found.direction != UNKNOWN and found.bound is not None and not found.range.nan
        return found if known and (found.bound or 0.0) <= bounded.bound else bounded

    def number(self, expr: Expr, domain: Interval) -> float | None:
        """What `expr` always is for x in the domain, where that is one finite number."""
        known = self.on(expr, domain).range
        if not known.is_point:
            tried = counted(expr, domain, self.precision, self.coefficients)
            known = tried.range if tried else known
        return known.lo if known.is_point and not known.has_infinity else None

    def _calculated(self, expr: Expr, domain: Interval, fact: Fact) -> Fact:
        """What calculus finds, which is done in one precision."""
        if converts(expr) or domain.nan or fact.range.nan:
            return fact
        expr = self.resolved(expr, domain)
        if isinstance(self.precision, Whole):
            return self._plain(expr, domain)
        found = study(expr, domain, self.precision, self.coefficients, self._alone(expr))
        if found is None:
            return self._chained(expr, domain, fact)
        narrowed = self._narrowed(expr, domain, fact.range, found)
        return replace(fact, direction=found.direction, grade=Grade.U, bound=found.bound, range=narrowed)

    def _chained(self, expr: Expr, domain: Interval, known: Fact) -> Fact:
        """By the facts of h and g, where the formula is h(g(x))."""
        parts = split(expr) if known.direction == UNKNOWN else None
        if parts is None:
            return known
        found = self.after(parts[0], self._on(parts[1], domain))
        return found if found.direction != UNKNOWN and not found.range.nan and found.bound is not None else known

    def _either(self, expr: Expr, domain: Interval) -> Fact | None:
        """Of a formula that knows of x only whether a comparison is true: it has two values, and goes as these and the comparison do."""
        for node in nodes(expr):
            if isinstance(node, Apply) and node.primitive.to == "bool":
                ends = [with_number(expr, node, value) for value in (0.0, 1.0)]
                if not has_variable(ends[0]):
                    inner = self._plain(node, domain)
                    false, true = (self._number(end, self._result(expr)) for end in ends)
                    if inner.direction == UNKNOWN or inner.bound != 0 or false.range.nan or true.range.nan:
                        continue
                    step = seam(false, true)
                    outer = UP if step.rises else DOWN if step.falls else MONOTONE
                    return Fact(compose(outer, inner.direction), false.range.hull(true.range), inner.grade)
        return None

    def resolved(self, expr: Expr, domain: Interval) -> Expr:
        """The formula without what this domain settles."""
        if len(nodes(expr)) > LARGEST:
            return expr
        return resolved(expr, lambda part: self._plain(part, domain), lambda part, at: self._plain(part, Interval(at, at, minus_zero=True)))

    def _plain(self, expr: Expr, domain: Interval) -> Fact:
        """By composition alone, the range in one piece."""
        try:
            return self._direct(expr, domain, 0)
        except _TooMuchWork:
            return _NOTHING

    def after(self, expr: Expr, inner: Fact) -> Fact:
        """Facts of `expr` applied to a function of one variable with the facts `inner`."""
        outer = self.on(expr, inner.range)
        steep = not isinstance(self.precision, Whole) and not converts(expr) and differentiable(expr)
        needed = steep and not inner.is_x and inner.bound and outer.bound is not None and not outer.is_x
        step = modulus(expr, inner.range, inner.bound, self.precision, self.coefficients) if needed and inner.bound else None
        return composed(outer, inner, step)

    def _narrowed(self, expr: Expr, domain: Interval, known: Interval, found: Study) -> Interval:
        """The range, by the values at the ends and about the turning point, give or take the bound."""
        turn, sign = (found.direction.valley, 1) if found.direction.valley else (found.direction.peak, -1)
        if turn is None:
            return known
        ends = [self._point(expr, at, 0, self.precision.name).range for at in (domain.lo, domain.hi)]
        until, since = (min(max(at, domain.lo), domain.hi) for at in (turn.until, turn.since))
        about = [self._piece(expr, domain, min(until, since), max(until, since), 0).range] if not found.direction.is_monotone else ends
        if any(r.nan for r in (*ends, *about)):
            return known
        lowest, highest = (about, ends) if sign > 0 else (ends, about)
        least = self._beyond(min(r.lo for r in lowest), -found.bound)
        most = self._beyond(max(r.hi for r in highest), found.bound)
        return replace(known, lo=max(known.lo, min(least, known.hi)), hi=min(known.hi, max(most, known.lo)))

    def _beyond(self, value: float, step: float) -> float:
        """value + step, rounded away from value."""
        return self.precision.next(self.precision.round(value + step), 1 if step > 0 else -1) if step else value

    def _alone(self, expr: Expr) -> Callable[[float, float], Fact]:
        """What composition alone finds on a piece of the range."""

        def facts(lo: float, hi: float) -> Fact:
            try:
                return Analysis(self.precision, self.coefficients)._piece(expr, Interval(lo, hi, minus_zero=True), lo, hi, 0)
            except _TooMuchWork:
                return _NOTHING

        return facts

    def _composed(self, expr: Expr, domain: Interval) -> Fact:
        fact = self._direct(expr, domain, 0)
        if (fact.direction.is_monotone and not fact.range.nan) or domain.is_point:
            return fact
        pieces = self._split(expr, domain)
        if pieces is None:
            return fact
        if fact.direction.is_monotone or pieces.direction == UNKNOWN:
            return replace(fact, range=pieces.range)
        return pieces

    def several(self, expr: Expr, arguments: Sequence[Fact]) -> Fact:
        """Facts of `expr` where Var(i) has the facts `arguments[i]`, all functions of one variable."""

        def select(node: Apply, _a: Fact, _b: Fact, dtype: str) -> Fact:
            return nothing(branch(node.args[2], dtype).range.hull(branch(node.args[3], dtype).range))

        def branch(part: Expr, dtype: str) -> Fact:
            return self._fold(part, lambda i: arguments[i], select, dtype)

        try:
            return branch(expr, self.precision.name)
        except _TooMuchWork:
            return _NOTHING

    def _direct(self, expr: Expr, domain: Interval, depth: int, dtype: str = "") -> Fact:
        """`dtype` is what a number is computed in that has none of its own."""

        def select(node: Apply, a: Fact, b: Fact, dtype: str) -> Fact:
            return self._select(node, a, b, domain, depth, dtype)

        fact = self._fold(expr, lambda _i: identity(domain), select, dtype or self.precision.name)
        direction = fact.direction.within(domain.lo, domain.hi)
        return replace(fact, direction=direction)

    def _fold(self, expr: Expr, variable: Callable[[int], Fact], select: Select, dtype: str) -> Fact:
        """Facts bottom-up. The branches of a select are left to `select`, which knows on what part of the range they count."""
        done: dict[int, Fact] = {}
        dtypes = self._dtypes(expr, dtype)
        variables: dict[int, Fact] = {}
        stack: list[tuple[Expr, bool]] = [(expr, False)]
        while stack:
            node, ready = stack.pop()
            if id(node) in done or (dtypes and dtypes[id(node)] is None):
                continue
            chooses = isinstance(node, Apply) and node.primitive.name == "select"
            if isinstance(node, Apply) and not ready:
                stack.append((node, True))
                stack.extend((a, False) for a in (node.args[:2] if chooses else node.args))
            elif isinstance(node, Apply):
                self._work += 1
                if self._work > WORK:
                    raise _TooMuchWork
                wanted = self._wanted(node, dtypes)
                args = [
                    done[id(a)] if id(a) in done else self._number(a, d)
                    for a, d in zip(node.args[:2] if chooses else node.args, wanted, strict=False)
                ]
                fact = select(node, args[0], args[1], wanted[-1]) if chooses else self._applied(node.primitive, args, wanted[-1])
                done[id(node)] = fact
            elif isinstance(node, Var):
                done[id(node)] = variables.setdefault(node.index, variable(node.index))
            else:
                done[id(node)] = self._leaf(node)
        return done[id(expr)] if id(expr) in done else self._number(expr, dtype)

    def _dtypes(self, expr: Expr, dtype: str) -> Mapping[int, str | None]:
        """The dtype of each node, by its id, None for numbers; nothing where all are of one dtype."""
        key = id(expr)
        if key not in self._known:
            converts = False
            own: dict[int, str | None] = {}
            for node in nodes(expr):
                if isinstance(node, Apply):
                    converts = converts or node.primitive.to is not None
                    wanted = argument_dtypes(node.primitive, [own[id(a)] for a in node.args])
                    own[id(node)] = node.primitive.to or (wanted[-1] if wanted else None)
                else:
                    own[id(node)] = self.precision.name if isinstance(node, Var) else None
            self._known[key] = (expr, converts, own)
        _, mixed, dtypes = self._known[key]
        return dtypes if mixed or (dtypes[key] is None and dtype != self.precision.name) else {}

    def _wanted(self, node: Apply, dtypes: Mapping[int, str | None]) -> Sequence[str]:
        """The dtypes in which the arguments are wanted."""
        known = [dtypes[id(a)] for a in node.args] if dtypes else ()
        return argument_dtypes(node.primitive, known) or [self.precision.name] * len(node.args)

    def _result(self, expr: Expr) -> str:
        """The dtype of what a formula gives."""
        return self._dtypes(expr, self.precision.name).get(id(expr)) or self.precision.name

    def _number(self, expr: Expr, dtype: str) -> Fact:
        """Facts of an expression without variables, in a dtype."""
        return Analysis(precision(dtype), self.coefficients).several(expr, ())

    def _applied(self, primitive: Primitive, args: Sequence[Fact], dtype: str) -> Fact:
        """Facts of a primitive that computes in `dtype`; none where integers may wrap around."""
        of = precision(dtype)
        fact = apply(primitive, args, of)
        if primitive.converts and primitive.to and not fits(args[0].range, primitive.to):
            self.wraps[primitive.name] = primitive.to
        if primitive.to is None and not primitive.selects and not of.holds(fact.range.lo, fact.range.hi):
            self.wraps[primitive.name] = dtype
            return nothing(unknown(of))
        return fact

    def _leaf(self, node: Expr) -> Fact:
        if isinstance(node, Const):
            value = self.precision.round(node.value)
            return constant(Interval(value, value, minus_zero=str(value).startswith("-0")))
        if isinstance(node, Param):
            return constant(self.coefficients[node.role])
        raise TypeError(f"no facts for {node!r}")

    # -- select: two pieces and the seam between them ---------------------------------------------------------------

    def _select(self, node: Apply, a: Fact, b: Fact, domain: Interval, depth: int, dtype: str) -> Fact:
        """select(a > b, p, q): p where a > b. Where the comparison changes once, each branch is analysed on its part of
        the domain, and the seam is checked on the two neighbouring floats where it changes."""
        if depth >= DEPTH:
            raise _TooMuchWork
        comparable = not (a.range.nan or b.range.nan)  # a comparison with NaN is false: where it may be NaN, anything may be
        if comparable:
            if a.range.lo > b.range.hi:
                return self._branch(node.args[2], domain, depth, dtype, a, b)
            if a.range.hi <= b.range.lo:
                return self._branch(node.args[3], domain, depth, dtype, a, b)
            rises = a.direction.is_up and b.direction.is_down
            falls = a.direction.is_down and b.direction.is_up
            last = self._threshold(node, domain, rises, depth) if rises != falls else None
            if last is not None:
                return self._joined(node, last, rises, worst(a, b)[0], domain, depth, dtype)
        p, q = (self._direct(branch, domain, depth + 1, dtype) for branch in node.args[2:])
        if comparable and a.direction.is_constant and b.direction.is_constant:  # all p or all q, depending on a coefficient
            grade, bound = worst(a, b, p, q)
            return Fact(p.direction.join(q.direction), p.range.hull(q.range), grade, bound=bound)
        return nothing(p.range.hull(q.range))

    def _branch(self, branch: Expr, domain: Interval, depth: int, dtype: str, *compared: Fact) -> Fact:
        """The branch that is always taken, worth no more than the comparison that says so."""
        fact = self._direct(branch, domain, depth + 1, dtype)
        return replace(fact, grade=max(fact.grade, worst(*compared)[0]))

    def _joined(self, node: Apply, last: float, rises: bool, grade: Grade, domain: Interval, depth: int, dtype: str) -> Fact:
        """One branch up to `last`, the other from its neighbour on."""
        first = self.precision.next(last)
        before, after = (node.args[3], node.args[2]) if rises else (node.args[2], node.args[3])
        left = self._piece(before, domain, domain.lo, last, depth, dtype)
        right = self._piece(after, domain, first, domain.hi, depth, dtype)
        step = seam(self._point(before, last, depth, dtype), self._point(after, first, depth, dtype))
        direction = glue(left.direction, last, step, first, right.direction)
        merged, bound = worst(left, right)
        return Fact(direction, left.range.hull(right.range), max(merged, grade), bound=bound)

    def _piece(self, expr: Expr, domain: Interval, lo: float, hi: float, depth: int, dtype: str = "") -> Fact:
        return self._direct(expr, Interval(lo, hi, domain.nan, domain.minus_zero), depth + 1, dtype)

    def _point(self, expr: Expr, at: float, depth: int, dtype: str) -> Fact:
        return self._direct(expr, Interval(at, at, False, at == 0), depth + 1, dtype)

    def _threshold(self, node: Apply, domain: Interval, rises: bool, depth: int) -> float | None:
        """The last number of the domain before a > b changes; None where it depends on the coefficients."""
        a, b = node.args[:2]
        dtype = self._compared(node)
        if isinstance(a, Var) and isinstance(b, Const):
            return self.precision.round(b.value)
        if isinstance(a, Const) and isinstance(b, Var):
            return self.precision.next(self.precision.round(a.value), -1)

        def changed(at: float) -> bool | None:
            left, right = self._point(a, at, depth, dtype).range, self._point(b, at, depth, dtype).range
            greater = True if left.lo > right.hi else False if left.hi <= right.lo else None
            return None if greater is None else greater == rises

        if changed(domain.lo) is not False or changed(domain.hi) is not True:
            return None
        return self.precision.bisect(changed, domain.lo, domain.hi)

    def _compared(self, node: Apply) -> str:
        """The dtype in which a select compares."""
        return self._wanted(node, self._dtypes(node, self.precision.name))[0]

    # -- cutting the range ------------------------------------------------------------------------------------------

    def _split(self, expr: Expr, domain: Interval) -> Fact | None:
        """Facts from pieces between 0, 1 and the constants of the formula, and their negations.

        x x x is up on each side of 0, so it is up; and it is not 0 inf anywhere, for |x| <= 1 and |x| >= 1 alike.
        """
        cuts = self._cuts(expr, domain)
        if not cuts:
            return None
        ends = [domain.lo, *cuts, domain.hi]
        found: Fact | None = None
        for lo, hi in pairwise(ends):
            piece = self._piece(expr, domain, lo, hi, 0)
            if found is None:
                found = piece
                continue
            grade, bound = worst(found, piece)
            direction = glue(found.direction, lo, LEVEL, lo, piece.direction).within(domain.lo, domain.hi)
            found = Fact(direction, found.range.hull(piece.range), grade, found.linear if found.linear == piece.linear else None, bound)
        return found

    def _cuts(self, expr: Expr, domain: Interval) -> list[float]:
        values = {0.0, 1.0, -1.0}
        for leaf in leaves(expr):
            if isinstance(leaf, Const):
                value = abs(self.precision.round(leaf.value))
                values |= {value, -value}
        if isinstance(self.precision, Whole):  # 0.5 may be a constant of what integers are converted to
            values = {float(math.floor(value)) for value in values if math.isfinite(value)}
        nearest = sorted(values, key=abs)[:SPLITS]
        return sorted(v + 0.0 for v in nearest if domain.lo < v < domain.hi)
