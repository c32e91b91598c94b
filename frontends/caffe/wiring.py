"""Which layer reads what which other layer makes: names of blobs resolved in the order of the file, in-place layers included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cnnir.diagnostics import CnnirError, Diagnostic, Label

from .check import alike
from .net import Blob, Layer

Made = tuple[int, int]
"""A tensor: the place of its layer in the order, and which of its tops it is."""


@dataclass(eq=False)
class Wired:
    """A layer with its inputs resolved, and for each of its tops the layers that read it."""

    layer: Layer
    inputs: list[Made]
    readers: list[list[int]] = field(default_factory=lambda: list[list[int]]())


MAX_PROBLEMS = 20
"""Errors after which the rest of a file is not read."""


def wire(layers: Sequence[Layer], absent: Sequence[Blob] = ()) -> list[Wired]:
    """The layers with their inputs; raises CnnirError listing bottoms that nothing above makes, and tops made twice.

    `absent` are tops of layers that the network has in other states.
    """
    elsewhere = {blob.name: blob for blob in absent}
    current: dict[str, Made] = {}
    wired: list[Wired] = []
    problems: list[Diagnostic] = []
    for place, layer in enumerate(layers):
        inputs: list[Made] = []
        for blob in layer.bottoms:
            if blob.name not in current:
                problems.append(_missing(blob, elsewhere.get(blob.name), current))
                continue
            inputs.append(current[blob.name])
        for maker, slot in inputs:
            wired[maker].readers[slot].append(place)
        own = {blob.name for blob in layer.bottoms}
        for slot, blob in enumerate(layer.tops):
            if blob.name in current and blob.name not in own:
                maker, other = current[blob.name]
                first = Label(layers[maker].tops[other].span, "first made here", primary=False)
                problems.append(Diagnostic("C0306", f"`{blob.name}` is made by two layers", (Label(blob.span), first)))
            current[blob.name] = (place, slot)
        wired.append(Wired(layer, inputs, [[] for _ in layer.tops]))
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems:
        raise CnnirError(problems[:MAX_PROBLEMS])
    return wired


def _missing(blob: Blob, elsewhere: Blob | None, known: Iterable[str]) -> Diagnostic:
    """The refusal of a bottom that nothing makes, or only a layer of another phase or stage."""
    message = f"no layer above makes `{blob.name}`"
    if elsewhere is None:
        return Diagnostic("C0305", message, (Label(blob.span),), help=alike(blob.name, known))
    made = Label(elsewhere.span, "made here, in another phase or stage", primary=False)
    help = 'say which is meant: `state { phase: TEST stage: "deploy" }` at the top of the file'
    return Diagnostic("C0305", message, (Label(blob.span), made), help=help)
