"""What names mean at one place: values, sizes, and the path that layers are named by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from cnnir.diagnostics import CnnirError, Span
from cnnir.ir.graph import Value

from . import ast
from .problems import alike, first_written, refuse


@dataclass
class Scope:
    """The inside of a network or of one use of a block.

    A value is None where its statement was refused: whoever reads it stays silent, the user has been told.
    """

    path: str = ""
    sizes: dict[str, int | float] = field(default_factory=dict[str, "int | float"])
    piped: Value | None = None
    values: dict[str, Value | None] = field(default_factory=dict[str, "Value | None"])
    spans: dict[str, Span] = field(default_factory=dict[str, Span])
    ordinals: Counter[str] = field(default_factory=Counter[str])

    def define(self, name: ast.Name, value: Value | None) -> None:
        """Give a value its name, once."""
        if name.text in self.spans:
            raise refuse("C0306", f"`{name.text}` is defined twice", name.span, "", None, first_written(self.spans[name.text]))
        if name.text in self.sizes:
            raise refuse("C0306", f"`{name.text}` is the name of a size already", name.span)
        self.values[name.text] = value
        self.spans[name.text] = name.span

    def value(self, name: ast.Name) -> Value:
        """The value that a name stands for."""
        if name.text not in self.values:
            raise refuse("C0305", f"there is no value called `{name.text}`", name.span, help=alike(name.text, self.values))
        found = self.values[name.text]
        if found is None:
            raise CnnirError(())
        return found

    def next_name(self, stem: str) -> str:
        """The path with a stem and its ordinal among those of the same stem: `stage3/conv2`."""
        self.ordinals[stem] += 1
        return f"{self.path}{stem}{self.ordinals[stem]}"
