"""Where the numbers of a model go: into the message itself, or into a file beside it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType

from onnx import TensorProto

from cnnir.diagnostics import CnnirError, Diagnostic

from .builder import ELEMENT_TYPES, Constant

ALIGNMENT = 4096
"""Offsets of tensors in a data file: whole pages, so that a reader can map them."""
_SMALL = 1024
"""Tensors below this many bytes stay in the model: readers want to see shapes and bounds."""


def inside(name: str, constant: Constant) -> TensorProto:
    """The tensor with its numbers."""
    tensor = _header(name, constant)
    if constant.array is None:
        return tensor
    if constant.field in ("raw_data", "external_data"):
        tensor.raw_data = constant.bytes()
    else:
        getattr(tensor, constant.field).extend(constant.array().reshape(-1).tolist())
    return tensor


def _header(name: str, constant: Constant) -> TensorProto:
    """The tensor without its numbers, or as it is where they never left it."""
    if constant.content:
        return TensorProto.FromString(constant.content)
    return TensorProto(name=name, data_type=ELEMENT_TYPES[constant.dtype], dims=constant.shape)


class ExternalFile:
    """A file of tensors, written under a temporary name and renamed when all are in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> ExternalFile:
        try:
            self._file = tempfile.NamedTemporaryFile(prefix=f".{self.path.name}.", dir=self.path.parent, delete=False)
        except OSError as error:
            raise CnnirError(Diagnostic("C0501", f"cannot write `{self.path}`: {error.strerror}"), exit_code=2) from error
        return self

    def add(self, name: str, constant: Constant) -> TensorProto:
        """Append a tensor's numbers and return the tensor that refers to them."""
        if constant.size < _SMALL or constant.array is None:
            return inside(name, constant)
        content = constant.bytes()
        self._file.write(b"\0" * (-self._file.tell() % ALIGNMENT))
        tensor = _header(name, constant)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", self.path.name), ("offset", self._file.tell()), ("length", len(content))):
            tensor.external_data.add(key=key, value=str(value))
        self._file.write(content)
        return tensor

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        temporary = Path(self._file.name)
        try:
            self._file.close()
            if kind is None:
                temporary.chmod(0o644)
                temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)
