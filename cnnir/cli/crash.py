"""An internal error: never a bare traceback, always a folder with what is needed to see it again."""

from __future__ import annotations

import platform
import shlex
import shutil
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path

import click

LARGEST_COPY = 32 << 20  # bytes; a model's text is small, its weights need not travel


def keep(error: Exception, arguments: list[str]) -> int:
    """Write a reproducer folder, say where it is, and return exit code 70. Whatever of that fails is left out."""
    command = ("cnnc " + shlex.join(arguments)).encode(errors="backslashreplace").decode()  # names may be no UTF-8
    trace = "".join(traceback.format_exception(error))
    click.echo(f"internal error: {type(error).__name__}: {error}", err=True)
    try:
        folder = _folder(command, trace, arguments)
    except OSError as problem:
        click.echo(
            f"{trace}This is a bug in cnnir, and no folder to reproduce it could be made: {problem}; the command was:\n  {command}",
            err=True,
        )
    else:
        click.echo(f"This is a bug in cnnir. What is needed to see it again is in {folder}; the command was:\n  {command}", err=True)
    return 70


def _folder(command: str, trace: str, arguments: list[str]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="cnnc-crash-"))
    (folder / "traceback.txt").write_text(trace, errors="backslashreplace")
    (folder / "command.txt").write_text(
        f"{command}\nPython {platform.python_version()} on {platform.platform()}\n", errors="backslashreplace"
    )
    for argument in arguments:
        with suppress(OSError, ValueError):  # no file at all: too long a name, a NUL in it, not ours to read
            path = Path(argument)
            if path.is_file() and path.stat().st_size <= LARGEST_COPY:
                shutil.copy(path, folder / path.name)
    return folder
