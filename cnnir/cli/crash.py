"""An internal error: never a bare traceback, always a folder with what is needed to see it again."""

from __future__ import annotations

import platform
import shlex
import shutil
import tempfile
import traceback
from pathlib import Path

import click

LARGEST_COPY = 32 << 20  # bytes; a model's text is small, its weights need not travel


def keep(error: Exception, arguments: list[str]) -> int:
    """Write a reproducer folder, say where it is, and return exit code 70."""
    folder = Path(tempfile.mkdtemp(prefix="cnnc-crash-"))
    command = "cnnc " + shlex.join(arguments)
    (folder / "traceback.txt").write_text("".join(traceback.format_exception(error)))
    (folder / "command.txt").write_text(f"{command}\nPython {platform.python_version()} on {platform.platform()}\n")
    for argument in arguments:
        path = Path(argument)
        if path.is_file() and path.stat().st_size <= LARGEST_COPY:
            shutil.copy(path, folder / path.name)
    click.echo(f"internal error: {type(error).__name__}: {error}", err=True)
    click.echo(f"This is a bug in cnnir. What is needed to see it again is in {folder}; the command was:\n  {command}", err=True)
    return 70
