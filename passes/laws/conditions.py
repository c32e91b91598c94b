"""The side conditions of the laws on max and min pools, one function each: None where it holds, else a Refusal.

`CONDITIONS` lists those that every such law shares, in the order they are checked: cheap ones and ones that read no
weights first. A condition about facts asks the site, which computes them when first asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cnnir.facts import describe
from cnnir.facts.fact import Grade
from cnnir.ops.elementwise import Elementwise
from cnnir.scalar.expr import Expr, fold

from ..site import ChannelFact, PoolSite
from .rule import Refusal

if TYPE_CHECKING:
    from .order import OrderLaw

Condition = Callable[[PoolSite], "Refusal | None"]


def comparing(site: PoolSite) -> Refusal | None:
    """The pool picks elements (max, min); an average commutes only with affine functions."""
    if site.op.reduce != "avg":
        return None
    return Refusal("comparing", f"`{site.op.name}` averages, and the mean of f(x) is not f of the mean unless f is affine", site.pool.name)


def same_shape(site: PoolSite) -> Refusal | None:
    """Every layer of the region keeps the shape and dtype of the data: broadcasting would change what is pooled."""
    for layer in site.region.layers:
        if layer.type != site.data:
            return Refusal("same shape", f"`{layer.name}` turns {site.data} into {layer.type}", layer.name)
    return None


def fixed_coefficients(site: PoolSite) -> Refusal | None:
    """No coefficient varies over a pooled axis: f must be the same function at every place of a window."""
    for layer in site.region.layers:
        for role, key in layer.weights:
            shape = site.graph.weights.shape(key)
            if any(n > 1 for n in shape[1:]):
                return Refusal("fixed coefficients", f"the {role} of `{layer.name}` varies over the pooled axes: it has shape {list(shape)}", layer.name)
    return None


def full_windows(site: PoolSite) -> Refusal | None:
    """Every window holds a real element: the start value of an empty one is not f of anything."""
    for axis, windows in enumerate(site.op.windows(site.data)):
        if len(windows.empty):
            return Refusal("full windows", f"window {int(windows.empty[0])} of `{site.pool.name}` on spatial axis {axis} holds no real element", site.pool.name)
    return None


def no_wrapping(site: PoolSite) -> Refusal | None:
    """Integer layers only compare and choose: -(-128) is -128 in int8, so negation there is not decreasing."""
    if site.data.is_float:
        return None
    for layer in site.region.layers:
        assert isinstance(layer.op, Elementwise)
        for primitive in sorted(_primitives(layer.op.formula())):
            return Refusal("no wrapping", f"`{primitive}` of `{layer.name}` may wrap around in {site.data.dtype}", layer.name)
    return None


def _primitives(formula: Expr) -> set[str]:
    found: set[str] = set()
    fold(formula, lambda _leaf: None, lambda primitive, _args: None if primitive.selects else found.add(primitive.name))
    return found


def no_nan(site: PoolSite) -> Refusal | None:
    """f gives no NaN for finite data in range: comparisons with NaN depend on their order."""
    if not site.data.is_float:
        return None
    for part in site.prove(lambda fact: not fact.range.nan):
        if part.fact.range.nan:
            where = f" in channel {int(part.channels[0])}" if site.channels > 1 else ""
            domain = site.ranges[site.region.data].finite(site.precision)
            return Refusal("no NaN", f"NaN is possible{where} for data in {domain}", site.region.layers[-1].name, int(part.channels[0]))
    return None


CONDITIONS: Mapping[str, Condition] = {
    "comparing": comparing,
    "same shape": same_shape,
    "fixed coefficients": fixed_coefficients,
    "full windows": full_windows,
    "no wrapping": no_wrapping,
    "no NaN": no_nan,
}


FactCondition = Callable[["OrderLaw", PoolSite, "list[ChannelFact]", str], "Refusal | None"]


def right_direction(law: OrderLaw, site: PoolSite, parts: list[ChannelFact], exactness: str) -> Refusal | None:
    """f goes the way the law needs, in every channel; the refusal names the first channel that does not."""
    del exactness
    for part in parts:
        if not law.wanted(part.fact.direction):
            channel = int(part.channels[0])
            where = f" in channel {channel}{_constants(site, channel)}" if site.channels > 1 else ""
            reason = f"not {law.words}{where}: {describe.direction(part.fact.direction)}"
            return Refusal("right direction", reason, site.region.layers[-1].name, channel)
    return None


def _constants(site: PoolSite, channel: int) -> str:
    values = [f"{role} = {value:.6g}" for role, value in site.coefficients_of(channel).items()]
    return f" ({', '.join(values)})" if values else ""


def exact_enough(law: OrderLaw, site: PoolSite, parts: list[ChannelFact], exactness: str) -> Refusal | None:
    """The direction holds for the float code (E, C), or rewrites that re-round are wanted and the difference is bounded."""
    del law
    for part in parts:
        if part.fact.grade is not Grade.U:
            continue
        if exactness != "ulp":
            return Refusal("exact enough", "its direction is known of the real function only, not of its float code (class U)", site.region.layers[-1].name)
        if part.fact.bound is None:
            return Refusal("exact enough", "no bound is known for how far its float code breaks the direction", site.region.layers[-1].name)
    return None


FACT_CONDITIONS: Mapping[str, FactCondition] = {"right direction": right_direction, "exact enough": exact_enough}
