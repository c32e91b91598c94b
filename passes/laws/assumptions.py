"""What a proof takes for granted or on evidence, said with it: the contract on data, the library, and contraction."""

from __future__ import annotations

from collections.abc import Mapping

from cnnir.facts.describe import direction
from cnnir.facts.evidence import Swept
from cnnir.facts.fact import Grade
from cnnir.scalar.expr import Apply, nodes

from ..site import ChannelFact, PoolSite
from ..terms import Terms


def assumptions(site: PoolSite, parts: list[ChannelFact], terms: Terms) -> tuple[str, ...]:
    """In words, the strongest first."""
    found = ["data at the site are finite and not NaN"] if site.data.is_float and terms.nan == "assume" else []
    if max((part.fact.grade for part in parts), default=Grade.E) is Grade.C:
        found += _monotone(site, parts)
    if any(_contracts(node) for node in nodes(site.expression) if isinstance(node, Apply)):
        found.append("products and sums are contracted in both places or in neither")
    return tuple(found)


def _monotone(site: PoolSite, parts: list[ChannelFact]) -> list[str]:
    """What makes class C exact: a sweep of the whole region, or of the library functions in it, or an assumption of these."""
    found = parts[0].fact.direction
    known = site.support(parts[0].fact, site.known)
    if known.shows(found, site.known):  # of one formula: so there is one part
        return [f"{' -> '.join(site.region.names)} is {direction(found)} as compiled (swept: {known.whole})"]
    return _library(known.primitives)


def _library(primitives: Mapping[str, Swept | None]) -> list[str]:
    """One statement for each group of functions that have the same evidence."""
    groups: dict[str, list[str]] = {}
    for name, swept in primitives.items():
        groups.setdefault("assumed: not swept" if swept is None else f"swept: {swept}", []).append(name)
    return [f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} monotone as compiled ({why})" for why, names in groups.items()]


def _contracts(node: Apply) -> bool:
    """Whether a compiler might make a fused multiply-add of it."""
    if node.primitive.name not in ("add", "sub"):
        return False
    return any(isinstance(a, Apply) and a.primitive.name in ("mul", "square") for a in node.args)
