"""Numbers, and bodies of activations."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from cnnir.scalar.expr import Const, Expr, X, apply
from cnnir.scalar.primitives import PRIMITIVES

_USUAL = (0.0, -0.0, 0.5, 1.0, -1.0, 2.0, 3.0, 6.0, 0.1, 0.25, 1e-5, 20.0, -2.5)
FLOATS = st.one_of(st.sampled_from(_USUAL), st.floats(allow_nan=False))
"""Attributes of ops: mostly such as people write, but every number is one."""


@cache
def expressions(max_leaves: int = 12) -> st.SearchStrategy[Expr]:
    """Bodies of activations over every primitive."""
    leaf = st.one_of(st.just(X), st.builds(Const, FLOATS))

    def node(children: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        made = [st.tuples(*[children] * p.arity).map(lambda args, n=n: apply(n, *args)) for n, p in PRIMITIVES.items()]
        return st.one_of(made)

    return st.recursive(leaf, node, max_leaves=max_leaves)
