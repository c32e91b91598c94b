"""cnnc fmt: `.cnn` texts in the usual form."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

import click


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 where something would change.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
def command(files: tuple[str, ...], check: bool, diff: bool) -> int:
    """Format `.cnn` files in place; `-` formats standard input to standard output.

    \b
    Example:
      cnnc fmt mine.cnn
      cnnc fmt --check --diff examples/*.cnn
      cnnc fmt - < mine.cnn

    Spaces, indentation and line ends change, comments and blank lines between groups stay, and what the network means
    is compared before anything is written. Lines end where the writer ended them, or before an arrow where they are too
    long; what the writer put below one another stays so.
    """
    from cnnir.diagnostics import CnnirError, Diagnostic
    from cnnir.frontends.cnn.formatting import format_text

    problems: list[Diagnostic] = []
    changed = exit_code = 0
    for name in files:
        try:
            before = _read(name)
            after = format_text(before, "<stdin>" if name == "-" else name)
        except CnnirError as error:  # the other files are formatted all the same
            problems += error.diagnostics
            exit_code = max(exit_code, error.exit_code)
            continue
        if diff:
            click.echo("".join(_diff(before, after, name)), nl=False)
        elif name == "-" and not check:
            sys.stdout.write(after)
        if after != before:
            changed += 1
            _changed(name, after, check, diff)
    if problems:
        raise CnnirError(problems, exit_code)
    return 1 if changed and check else 0


def _changed(name: str, after: str, check: bool, diff: bool) -> None:
    """Write what changed, or say that it would."""
    from cnnir.files import write_atomically

    if check:
        click.echo(f"would change {name}", err=True)
    elif name != "-" and not diff:
        write_atomically(Path(name), after.encode())
        click.echo(f"changed {name}", err=True)


def _read(name: str) -> str:
    from cnnir.frontends.cnn.files import decode, read_text

    return decode(sys.stdin.buffer.read(), "<stdin>") if name == "-" else read_text(Path(name))


def _diff(before: str, after: str, name: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), name, name)
    return [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines]
