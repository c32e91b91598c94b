"""Numbers as protobuf's text format writes them."""

from __future__ import annotations

import re

_INTEGER = re.compile(r"-?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_INFINITE = {"inf": float("inf"), "infinity": float("inf"), "nan": float("nan")}
MAX_DIGITS = 400


def number(text: str) -> int | float:
    """The number that a text is: decimal, hexadecimal or octal, `1.5f`, `-inf`, `nan`; raises ValueError for any other text."""
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text):,} digits")
    if _INTEGER.fullmatch(text):
        digits = text.lstrip("-")
        value = int(digits, 16 if digits[:2] in ("0x", "0X") else 8 if digits.startswith("0") else 10)
        return -value if text.startswith("-") else value
    bare = text.lstrip("-").lower()
    if bare in _INFINITE:
        return -_INFINITE[bare] if text.startswith("-") else _INFINITE[bare]
    return float(text.rstrip("fF"))
