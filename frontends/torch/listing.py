"""The source that diagnostics point into: one line for each operation of an exported program, with the module it belongs to."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cnnir.diagnostics import Origin, Source, Span

from .program import Argument, Call, Ref

_FRAME = re.compile(r'File "([^"]*)", line (\d+)')
_SHOWN = 60
"""Characters of an argument that are shown."""


def own_line(trace: str) -> str:
    """The innermost place of a stack trace that is not PyTorch's own: `net.py:12`."""
    frames = _FRAME.findall(trace)
    own = [f"{name.replace(chr(92), '/').rpartition('/')[2]}:{line}" for name, line in frames if "/torch/" not in name.replace("\\", "/")]
    return own[-1] if own else ""


def _text(argument: Argument) -> str:
    if isinstance(argument, Ref):
        return argument.name
    if isinstance(argument, tuple):
        text = f"[{', '.join(map(_text, argument))}]"
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...]"
    return str(argument)


def line(call: Call) -> str:
    """A call as a line: `features.3: ReLU, aten.relu(conv2d_1)`."""
    module = f"{call.where.path or 'forward'}: {call.where.kind}".rstrip(": ")
    arguments = ", ".join(_text(a) for a in call.arguments.values())
    own = f"  # {call.where.line}" if call.where.line else ""
    return f"{module} = {call.target.removesuffix('.default')}({arguments}){own}".replace("\n", " ")


def origins(name: str, calls: Sequence[Call]) -> list[Origin]:
    """The place of each call in the listing of all."""
    lines = [line(call) for call in calls]
    source = Source(name, "\n".join(lines))
    found: list[Origin] = []
    start = 0
    for text in lines:
        end = start + len(text.partition("  # ")[0])
        found.append(Origin(Span(source, start, end)))
        start += len(text) + 1
    return found
