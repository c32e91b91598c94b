"""Whether two networks give the same answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np

import cnnir
from cnnir.ir.graph import Graph, Value

from .data import feeds

Array = np.ndarray[Any, Any]


def bits(array: Array) -> Array:
    """The bit patterns, with one zero and one NaN: what `exact` compares."""
    if array.dtype.kind not in "fV":
        return array
    canonical = array + np.zeros((), array.dtype)
    canonical = np.where(np.isnan(canonical), np.full((), np.nan, array.dtype), canonical)
    return canonical.view(f"u{array.dtype.itemsize}")


def difference(before: Array, after: Array) -> float:
    """The largest absolute difference; infinite where a NaN or an infinity is not matched."""
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.abs(before.astype(np.float64) - after.astype(np.float64))
    gap = np.where((before == after) | (np.isnan(before) & np.isnan(after)), 0.0, gap)
    return float(np.max(np.where(np.isnan(gap), np.inf, gap), initial=0.0))


def assert_equivalent(
    before: Graph,
    after: Graph,
    exactness: Literal["exact", "ulp"] = "exact",
    *,
    bound: float | None = None,
    data: Iterable[Mapping[str, Array]] | None = None,
    finite: Iterable[str] | None = None,
    seed: int = 0,
) -> int:
    """Raise AssertionError where two networks answer differently; gives the number of data that were tried.

    `exact` compares bits, `ulp` allows `bound`. `data` defaults to `feeds(before)`. Data that break the contract are left out:
    the values of the layers of `before` called `finite` (all that another layer reads, if not said) must be finite.
    """
    if exactness == "ulp" and bound is None:
        raise ValueError("`ulp` needs the bound that the rewrite reports")
    assert before.inputs == after.inputs and list(before.outputs) == list(after.outputs), "inputs or outputs differ"
    tried = 0
    for feed in feeds(before, seed) if data is None else data:
        with np.errstate(all="ignore"):
            if not _keeps_contract(before, feed, finite):
                continue
            wanted, found = cnnir.evaluate(before, feed), cnnir.evaluate(after, feed)
        tried += 1
        for name, array in wanted.items():
            assert array.shape == found[name].shape and array.dtype == found[name].dtype, f"output `{name}` has another type"
            same = np.array_equal(bits(array), bits(found[name]))
            if not same and (bound is None or exactness == "exact" or difference(array, found[name]) > bound):
                raise AssertionError(_words(name, feed, array, found[name]))
    return tried


def _keeps_contract(graph: Graph, feed: Mapping[str, Array], finite: Iterable[str] | None) -> bool:
    seen = graph.copy()
    names = [n for n in (layer.name for layer in graph.layers()) if graph.uses(Value(n))] if finite is None else finite
    seen.results = {name: Value(name) for name in names}
    values = cnnir.evaluate(seen, feed).values() if seen.results else ()
    return all(v.dtype.kind in "iub" or bool(np.isfinite(v.astype(np.float64)).all()) for v in values)


def _words(name: str, feed: Mapping[str, Array], wanted: Array, found: Array) -> str:
    at = tuple(int(i) for i in np.argwhere(bits(wanted) != bits(found))[0])
    given = "\n".join(f"{n} = {array!r}" for n, array in feed.items())
    return f"output `{name}` differs at {list(at)}: {wanted[at]!r} before, {found[at]!r} after, for\n{given}"
