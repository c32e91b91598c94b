"""cnnc explain: what a diagnostic code or a law means."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from .console import emit_json, json_option

if TYPE_CHECKING:
    from cnnir.passes.laws.rule import Law

_WRITTEN = {
    "cnn": "a `.cnn` file",
    "pipeline": "passes, as after `cnnc opt -p`",
    "onnx": "a model in ONNX's own text",
    "prototxt": "a network of Caffe",
    "python": "a Python program in an empty folder",
    "shell": "a shell session in an empty folder",
}
"""What an example is, by its language."""


@click.command()
@click.argument("code", required=False)
@json_option
def command(code: str | None, as_json: bool) -> None:
    """Explain a diagnostic CODE such as C0203, or a law such as `up`; without one, list them all.

    \b
    Example:
      cnnc explain C0203
      cnnc explain up
    """
    from cnnir.codes import CODES
    from cnnir.diagnostics import nearest
    from cnnir.passes.laws import LAWS

    if code is None:
        listing = {**{c: e.title for c, e in CODES.items()}, **{n: _page(law).splitlines()[2].strip() for n, law in LAWS.items()}}
        if as_json:
            emit_json("explain", {"codes": listing})
        else:
            click.echo("\n".join(f"{name:8} {title}" for name, title in listing.items()))
        return
    if code.lower() in LAWS:
        law = LAWS[code.lower()]
        before, after = law.example, _moved(law)
        text = f"{_page(law)}\n\nFor example:\n\n{_indent(before)}\n\nBecomes:\n\n{_indent(after)}"
        document = {"law": law.name, "page": _page(law), "example": before, "moved": after}
    elif code.upper() in CODES:
        entry = CODES[code.upper()]
        text = f"{code.upper()}: {entry.title}\n\n{entry.explanation}"
        text += f"\n\nFails, {_WRITTEN[entry.language]}:\n\n{_indent(entry.example)}\n\nMended:\n\n{_indent(entry.mend)}"
        told = {"title": entry.title, "explanation": entry.explanation, "example": entry.example, "mend": entry.mend}
        document = {"code": code.upper(), **told, "language": entry.language, "page": text}
    else:
        near = nearest(code, [*CODES, *LAWS], 0.5)
        raise click.UsageError(f"no code or law `{code}`" + (f"; did you mean {near}?" if near else "; `cnnc explain` lists them"))
    if as_json:
        emit_json("explain", document)
    else:
        click.echo(text)


def _page(law: object) -> str:
    """A law's page is the text above its code: the algebra, the proof, and when it must not fire."""
    return (sys.modules[type(law).__module__].__doc__ or "").strip()


def _moved(law: Law) -> str:
    """Its example after everything that may move has moved."""
    import cnnir
    from cnnir.passes.place import place
    from cnnir.pipeline import make

    graph = cnnir.parse(law.example)
    return cnnir.dumps(place(graph, "always", law.terms.exactness).graph if law.placed else make(law.name)(graph))


def _indent(text: str) -> str:
    return "\n".join("    " + line for line in text.strip("\n").splitlines())
