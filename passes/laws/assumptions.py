"""What a proof takes for granted, said with it: the contract on data, the library, and contraction."""

from __future__ import annotations

from cnnir.facts.fact import Grade
from cnnir.scalar.expr import Apply, nodes

from ..site import ChannelFact, PoolSite
from ..terms import Terms


def assumptions(site: PoolSite, parts: list[ChannelFact], terms: Terms) -> tuple[str, ...]:
    """In words, the strongest first."""
    found = ["data at the site are finite and not NaN"] if site.data.is_float and terms.nan == "assume" else []
    applied = [node for node in nodes(site.expression) if isinstance(node, Apply)]
    library = sorted({n.primitive.name for n in applied if n.primitive.rounding == "library"})
    if library and max(part.fact.grade for part in parts) is Grade.C:
        verb = "is" if len(library) == 1 else "are"
        found.append(f"{', '.join(library)} {verb} monotone as compiled (assumed: not swept)")
    if any(_contracts(n) for n in applied):
        found.append("products and sums are contracted in both places or in neither")
    return tuple(found)


def _contracts(node: Apply) -> bool:
    """Whether a compiler might make a fused multiply-add of it."""
    if node.primitive.name not in ("add", "sub"):
        return False
    return any(isinstance(a, Apply) and a.primitive.name in ("mul", "square") for a in node.args)
