"""External data: weights in files beside the model, and nowhere else."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath

from onnx import TensorProto

from cnnir.diagnostics import Span

from .problems import refuse

_KEYS = frozenset({"location", "offset", "length", "checksum", "basepath"})
_HELP = "external data lie in the model's folder or below it"


def located(tensor: TensorProto, needed: int, model: Path | None, span: Span) -> tuple[Path, int]:
    """The file and the offset of a tensor's `needed` bytes; raises CnnirError where the file may not be read or is too short."""
    given = {entry.key: entry.value for entry in tensor.external_data}
    strange = [key for key in given if key not in _KEYS]
    if strange:
        raise refuse(
            "C0804",
            f"external data of `{tensor.name}` has an unknown key `{strange[0][:40]}`",
            span,
            help=f"keys are {', '.join(sorted(_KEYS))}",
        )
    offset, length = _number(given, "offset", 0, tensor.name, span), _number(given, "length", needed, tensor.name, span)
    if model is None:
        raise refuse("C0803", f"tensor `{tensor.name}` lies outside the model, which has no folder", span)
    path = _inside(given.get("location", ""), model.parent, tensor.name, span)
    size = path.stat().st_size
    if length != needed:
        raise refuse("C0805", f"tensor `{tensor.name}` takes {needed:,} bytes, and its external data have {length:,}", span)
    if offset + length > size:
        raise refuse("C0804", f"external data of `{tensor.name}` end at byte {offset + length:,} of a file of {size:,}", span)
    return path, offset


def _number(given: dict[str, str], key: str, default: int, name: str, span: Span) -> int:
    text = given.get(key, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise refuse("C0804", f"external data of `{name}` has {key} `{text[:40]}`", span, help=f"{key} is a number of bytes")
    return int(text)


def _inside(location: str, folder: Path, name: str, span: Span) -> Path:
    """The file that a location names; raises CnnirError unless it is a file of its own, below the folder, without links."""
    what = f"external data of `{name}` at `{location[:80]}`"
    pure = PurePosixPath(location)
    windows = PureWindowsPath(location)
    if not location or "\0" in location or pure.is_absolute() or windows.drive or windows.root or "\\" in location or ".." in pure.parts:
        raise refuse("C0803", f"{what} are not below the model's folder", span, help=_HELP)
    path = folder
    try:
        for part in pure.parts:
            path = path / part
            if path.is_symlink():
                raise refuse("C0803", f"{what} go through a symbolic link", span, help="put the file itself there")
        status = path.stat()
    except OSError as error:
        raise refuse("C0401", f"{what} cannot be read: {error.strerror or error}", span) from None
    if not stat.S_ISREG(status.st_mode):
        raise refuse("C0401", f"{what} are not a file", span)
    if status.st_nlink > 1:
        raise refuse("C0803", f"{what} have a second name somewhere else", span, help="copy the file: a hard link may lead anywhere")
    if not os.access(path, os.R_OK):
        raise refuse("C0401", f"{what} may not be read", span)
    return path
