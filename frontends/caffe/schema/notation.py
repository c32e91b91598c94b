"""The notation that the schema is written in: `pad uint*; kernel_size uint*; pool (MAX|AVE) = MAX; bias_term bool = true`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_FIELD = re.compile(r"(?P<name>\w+) (?P<kind>\w+|\([A-Z0-9_|]+\))(?P<many>\*?)(?: = (?P<default>\S+))?")
SCALARS = frozenset({"int", "uint", "float", "bool", "string", "word", "any"})
"""`word` is a word or a quoted text; of `any` nothing is asked."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """The kind of a field's values: one of `SCALARS`, `enum`, or the name of a message."""

    kind: str
    many: bool = False
    words: tuple[str, ...] = ()
    default: str | None = None

    @property
    def is_message(self) -> bool:
        """Whether its values are messages."""
        return self.kind[0].isupper()


def fields(text: str) -> Mapping[str, FieldType]:
    """Field name -> type; raises ValueError where the text is not in the notation."""
    found: dict[str, FieldType] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        match = _FIELD.fullmatch(" ".join(part.split()))
        if match is None or not (match["kind"].startswith("(") or match["kind"][0].isupper() or match["kind"] in SCALARS):
            raise ValueError(part)
        words = tuple(match["kind"][1:-1].split("|")) if match["kind"].startswith("(") else ()
        found[match["name"]] = FieldType("enum" if words else match["kind"], bool(match["many"]), words, match["default"])
    return found
