"""Opening an ONNX file: what it must be before anything in it is believed."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from google.protobuf.message import DecodeError
from onnx import ModelProto

from cnnir.diagnostics import CnnirError, Diagnostic

from ..files import open_regular
from ..wire import Buffer
from .extents import too_deep, without_weights
from .tensors import Place

LIMIT = 2**31 - 1
"""Bytes of a protocol buffer at most."""


def read_file(path: Path) -> tuple[ModelProto, Place]:
    """The model of a file, its large weights left there; raises CnnirError (exit code 2 where there is no such file)."""
    with open_regular(path, CnnirError(Diagnostic("C0401", f"`{path}` is not a file"))) as file:
        size = os.fstat(file.fileno()).st_size
        if size > LIMIT:
            note = f"{size:,} bytes, and a protocol buffer ends at {LIMIT:,}"
            help = "save it with external data: onnx.save(model, path, save_as_external_data=True)"
            raise CnnirError(Diagnostic("C0802", f"`{path}` is too large for an ONNX model", notes=(note,), help=help))
        if not size:
            raise CnnirError(Diagnostic("C0801", f"`{path}` is empty"))
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return parse(data, path)


def parse(data: Buffer, path: Path | None, name: str | None = None) -> tuple[ModelProto, Place]:
    """The model that bytes are, and where its large weights lie; raises CnnirError where they are none."""
    shown = name or str(path)
    try:
        if path is None:
            return _sound(ModelProto.FromString(bytes(data)), shown), Place(None, {})
        content, extents = without_weights(data)
        return _sound(ModelProto.FromString(content), shown), Place(path.absolute(), extents)
    except (DecodeError, ValueError, RecursionError):
        if too_deep(data):
            raise CnnirError(Diagnostic("C0810", f"`{shown}` nests graphs deeper than any model does")) from None
        raise CnnirError(Diagnostic("C0801", f"`{shown}` is not an ONNX model", notes=(_looks_like(bytes(data[:512])),))) from None


def _sound(model: ModelProto, shown: str) -> ModelProto:
    if not model.HasField("graph"):
        raise CnnirError(Diagnostic("C0801", f"`{shown}` is not an ONNX model", notes=("it holds no graph",)))
    return model


def _looks_like(head: bytes) -> str:
    """A guess at what it is instead."""
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page: perhaps what a server answered in place of the file"
    if start.startswith(b"version https://git-lfs"):
        return "it is a pointer of Git LFS: `git lfs pull` fetches the file"
    kinds = {b"PK\x03\x04": "it is a ZIP archive", b"\x1f\x8b": "it is compressed with gzip", b"\x80": "it may be a Python pickle"}
    return next((kind for mark, kind in kinds.items() if head.startswith(mark)), "it is damaged, truncated, or something else")
