"""How opaque nodes are written: `onnx.Op{a, none, outputs=[f32[1, 8]], alpha=0.5}`."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence

from cnnir.ops.opaque import Attribute, Opaque
from cnnir.types import TensorType

from . import spelling

_KEY = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_RESERVED = frozenset({"outputs", "name"})
PIECE = 90
"""Characters of a long text that are written in one pair of quotes: as escapes they are ten times as many, a name's limit."""


def opaque(op: Opaque, operands: Sequence[str], more: Sequence[str] = ()) -> str:
    """The node on these operands; `more` are further arguments."""
    outputs = f"outputs=[{', '.join(map(str, op.types))}]"
    attributes = [f"{_key(key)}={attribute(value)}" for key, value in op.payload]
    return f"{op.kind}{{{', '.join([*operands, outputs, *attributes, *more])}}}"


def _key(text: str) -> str:
    bare = _KEY.fullmatch(text) and text not in _RESERVED and text not in spelling.KEYWORDS
    return text if bare else spelling.quoted(text)


def attribute(value: Attribute) -> str:
    """One value of a payload; a float always shows that it is one."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(attribute, value))}]"
    if isinstance(value, bytes):
        code = base64.b64encode(value).decode()
        return f"base64({_pieces(code, 10 * PIECE)})"
    if isinstance(value, str):
        return spelling.quoted(value) if len(value) <= PIECE else f"text({_pieces(value, PIECE)})"
    if isinstance(value, TensorType):
        return str(value)
    return repr(value) if math.isfinite(value) else str(value)


def _pieces(text: str, size: int) -> str:
    return ", ".join(spelling.quoted(text[i : i + size]) for i in range(0, max(1, len(text)), size))
