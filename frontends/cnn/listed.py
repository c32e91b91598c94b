"""`weights n { ... }`: names and keys of the layers that have weights, beside the network instead of in it.

One entry a layer, in the order in which the layers are written out: an entry too few or too many is an error, so that no layer
takes another one's weights unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cnnir.diagnostics import Label, Span

from . import ast
from .arguments import Given
from .numbers import Text
from .problems import first_written, refuse


class Listed:
    """The entries of one network, taken one after the other."""

    def __init__(self, listing: ast.Listing) -> None:
        self._listing = listing
        self._place = 0
        self._names: dict[str, Span] = {}
        for entry in listing.entries:
            name = entry.name
            if name.text in self._names:
                raise refuse("C0306", f"`{name.text}` is listed twice", name.span, "", None, first_written(self._names[name.text]))
            self._names[name.text] = name.span

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def texts(self, op: str, roles: Sequence[str], written: Mapping[str, Given], span: Span) -> dict[str, Given]:
        """`name` and the weights by role for the next layer, as if they had been written in its call."""
        if written:
            first = next(iter(written.values()))
            help = f"say it in `weights {self._listing.name.text}` alone"
            raise refuse("C0216", "the names and weights of this network are listed", first.span, help=help)
        entries = self._listing.entries
        if self._place == len(entries):
            listing = Label(self._listing.name.span, f"{len(entries)} are listed", primary=False)
            raise refuse("C0310", f"no weights are listed for this `{op}`", span, "", None, listing)
        entry = entries[self._place]
        self._place += 1
        keys = entry.keys if entry.keys is not None else [ast.Name(entry.span, f"{entry.name.text}.{role}") for role in roles]
        if len(keys) != len(roles):
            remark = f"this is about `{op}`, which has {', '.join(roles)}"
            raise refuse("C0310", f"{len(keys)} weights are listed, and the layer has {len(roles)}", entry.span, remark, None, _here(span))
        given = {role: Given(role, Text(key.text), key.span) for role, key in zip(roles, keys, strict=True)}
        return {"name": Given("name", Text(entry.name.text), entry.name.span), **given}

    def close(self) -> None:
        """Raise CnnirError where entries are left over."""
        if self._place < len(self._listing.entries):
            count, entry = len(self._listing.entries), self._listing.entries[self._place]
            raise refuse("C0310", f"weights of {count} layers are listed, and the network has {self._place}", entry.span)


def _here(span: Span) -> Label:
    return Label(span, "the layer", primary=False)
