"""`cnnc fmt`: a `.cnn` text in the usual form, comments and grouping kept, meaning untouched."""

from __future__ import annotations

from cnnir.diagnostics import Source

from ..syntax import parse_file
from .align import align
from .layout import Layout
from .tokens import significant, tokens
from .wrap import wrap

__all__ = ["format_text"]


def format_text(text: str, name: str = "<string>") -> str:
    """The formatted text; formatting it again changes nothing. Raises CnnirError where the text is not in the language."""
    source = Source(name, text.removeprefix("\ufeff"))
    parse_file(source)
    lines = wrap(Layout(tokens(source)).lines())
    align(lines)
    done = "".join(f"{line.text()}\n" for line in lines)
    if significant(Source(name, done)) != significant(source):
        raise RuntimeError("formatting would change the network")
    return done
