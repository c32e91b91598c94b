"""What a file defines: its blocks, activations, networks and weights file, by name and in order."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, field

from cnnir.diagnostics import CnnirError, Diagnostic, Span
from cnnir.ops.activation import UserActivation
from cnnir.ops.registry import OPS
from cnnir.scalar.primitives import PRIMITIVES

from . import ast
from .expressions import body_of
from .problems import alike, first_written, refuse

RESERVED = ("input",)
"""Names of ops that a chain cannot write."""


@dataclass
class Definitions:
    """The items of a file."""

    blocks: dict[str, ast.Block] = field(default_factory=dict[str, ast.Block])
    activations: dict[str, UserActivation | None] = field(default_factory=dict[str, "UserActivation | None"])
    """None where the definition was refused: using it is not a second error."""
    networks: dict[str, ast.NetworkDeclaration] = field(default_factory=dict[str, ast.NetworkDeclaration])
    weights: ast.WeightsFile | None = None
    listings: dict[str, ast.Listing] = field(default_factory=dict[str, ast.Listing])
    order: dict[str, int] = field(default_factory=dict[str, int])
    """Block name -> its place in the file: a block may use earlier ones only."""


def collect(file: ast.File, report: Callable[[CnnirError], None]) -> Definitions:
    """The definitions of a file; each wrong one is reported and left out."""
    found = Definitions()
    spans: dict[str, Span] = {}
    named = {item.name.text for item in file.items if isinstance(item, ast.Activation)}
    for item in file.items:
        try:
            _collect(item, found, spans, named)
        except CnnirError as error:
            report(error)
    for listing in found.listings.values():
        if listing.name.text not in found.networks:
            report(
                refuse(
                    "C0307",
                    f"there is no network called `{listing.name.text}`",
                    listing.name.span,
                    help=alike(listing.name.text, found.networks),
                )
            )
    return found


def _collect(item: ast.Item, found: Definitions, spans: dict[str, Span], activations: Set[str]) -> None:
    if isinstance(item, ast.WeightsFile):
        if found.weights is not None:
            raise refuse("C0306", "a file has one `weights` line", item.span, "", None, first_written(found.weights.span))
        found.weights = item
        return
    name = item.name.text
    if isinstance(item, ast.Listing):
        if name in found.listings:
            first = first_written(found.listings[name].name.span)
            raise refuse("C0306", f"the weights of `{name}` are listed twice", item.name.span, "", None, first)
        found.listings[name] = item
        return
    if isinstance(item, ast.NetworkDeclaration):
        if name in found.networks:
            raise refuse(
                "C0306", f"network `{name}` is defined twice", item.name.span, "", None, first_written(found.networks[name].name.span)
            )
        found.networks[name] = item
        return
    if name in spans:
        raise refuse("C0306", f"`{name}` is defined twice", item.name.span, "", None, first_written(spans[name]))
    if (name in OPS or name in PRIMITIVES) and name not in RESERVED:
        raise refuse("C0306", f"`{name}` is an op of the language", item.name.span, help="choose another name")
    spans[name] = item.name.span
    if isinstance(item, ast.Block):
        for place, parameter in enumerate(item.parameters):
            first = next((p for p in item.parameters[:place] if p.text == parameter.text), None)
            if first is not None:
                raise refuse("C0306", f"parameter `{parameter.text}` is given twice", parameter.span, "", None, first_written(first.span))
        found.blocks[name] = item
        found.order[name] = len(found.order)
        return
    try:
        found.activations[name] = UserActivation(name, body_of(item, found.activations, activations))
    except CnnirError:
        found.activations[name] = None
        raise


def choose(found: Definitions, network: str | None, everything: Span) -> ast.NetworkDeclaration:
    """The network called `network`, or the last one."""
    if network is not None and network in found.networks:
        return found.networks[network]
    if network is not None:
        raise CnnirError(Diagnostic("C0307", f"there is no network called `{network}`", help=alike(network, found.networks)), exit_code=2)
    if not found.networks:
        raise refuse(
            "C0307",
            "the text defines no network",
            Span(everything.source, 0, 0),
            help="write `network name(x: f32[1, 3, 8, 8]) { x -> relu }`",
        )
    return list(found.networks.values())[-1]
