"""`weights "file.safetensors"`: the header is read and checked, the tensors stay on disk until asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from cnnir.diagnostics import Span
from cnnir.ir.weights import Stored
from cnnir.ops.base import Parameter
from cnnir.types import TensorType

from . import ast
from .problems import alike, refuse

_DTYPES: Mapping[str, str] = {
    "F16": "f16", "F32": "f32", "F64": "f64", "BF16": "bf16", "BOOL": "bool", "F8_E4M3": "f8e4m3", "F8_E5M2": "f8e5m2",
    **{f"{kind}{size}": f"{kind.lower()}{size}" for kind in "IU" for size in (8, 16, 32, 64)},
}  # fmt: skip


class StoredWeights:
    """The tensors of one file by key: shape and dtype."""

    def __init__(self, path: Path, shown: str, tensors: Mapping[str, TensorType]) -> None:
        self._path = path
        self._shown = shown
        self._tensors = tensors

    def source(self, key: str, parameter: Parameter, span: Span) -> Stored:
        """Where a weight is read from; raises CnnirError where it is missing or of another type."""
        if key not in self._tensors:
            raise refuse("C0404", f"`{self._shown}` has no weight `{key}`", span, help=alike(key, self._tensors))
        found, needed = self._tensors[key], TensorType(parameter.dtype, parameter.shape)
        if found != needed:
            raise refuse("C0304", f"weight `{key}` is {found} in `{self._shown}`, and must be {needed} here", span)
        return Stored(self._path, key, found.shape, np.dtype(found.numpy))


def open_weights(line: ast.WeightsFile, folder: Path | None) -> StoredWeights:
    """Read the header of a weights file; raises CnnirError where it lies outside the folder or is not a safetensors file."""
    written, span = line.path.text, line.span
    if folder is None:
        raise refuse(
            "C0401",
            f"`{written}` cannot be found: this text is not in a file",
            span,
            help="load the network from a file beside its weights",
        )
    root = folder.resolve()
    outside = "\0" in written or "\\" in written or Path(written).is_absolute() or ":" in written
    try:
        path = None if outside else (root / written).resolve()
        found = path is not None and path.is_file()
    except (OSError, RuntimeError) as error:  # too long a name; a loop of links
        raise refuse("C0401", f"`{written}` cannot be read", span, str(getattr(error, "strerror", None) or error)) from None
    if path is None or not path.is_relative_to(root):
        raise refuse("C0402", "weights are read from the folder of the network's file only", span, help="copy the file there")
    if not found:
        raise refuse("C0401", f"there is no file `{written}` beside the network's file", span)
    return StoredWeights(path, written, _header(path, written, span))


def _header(path: Path, shown: str, span: Span) -> dict[str, TensorType]:
    from safetensors import SafetensorError, safe_open

    found: dict[str, TensorType] = {}
    try:
        with cast(Any, safe_open)(path, framework="numpy") as file:  # safetensors has no types
            for key in file.keys():  # noqa: SIM118 - not a mapping
                tensor = file.get_slice(key)
                dtype = _DTYPES.get(str(tensor.get_dtype()), str(tensor.get_dtype()))
                found[str(key)] = TensorType(dtype, tuple(tensor.get_shape()))
    except (SafetensorError, OSError) as error:
        raise refuse("C0403", f"`{shown}` is not a readable safetensors file: {error}", span) from None
    return found
