"""Where a verb writes a network."""

from __future__ import annotations

from pathlib import Path

import click

WRITTEN = (".cnn", ".onnx")


def check_suffix(path: Path) -> None:
    """Refuse a place of an unknown format before anything is computed for it."""
    if path.suffix not in WRITTEN:
        shown = f"`{path.suffix}` of `{path}`" if path.suffix else f"`{path}`, without a suffix,"
        raise click.UsageError(f"{shown} is no format that networks are written in; these are {' and '.join(WRITTEN)}")
