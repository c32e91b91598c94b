"""Tensor types: `f32[1, 64, 224, 224]`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

_NUMPY_NAMES = {
    "f16": "float16", "f32": "float32", "f64": "float64", "bf16": "bfloat16",
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
    "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64", "bool": "bool",
}  # fmt: skip
DTYPES = tuple(_NUMPY_NAMES)


def numpy_dtype(name: str) -> np.dtype:
    """The NumPy dtype of a cnnir dtype name such as `f32`; raises KeyError for an unknown one."""
    if name == "bf16":
        import ml_dtypes  # only bf16 networks pay for the import

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(_NUMPY_NAMES[name])


def dtype_name(dtype: np.dtype) -> str:
    """The cnnir name of a NumPy dtype: `float32` -> `f32`; raises KeyError for one without a name."""
    return {numpy: name for name, numpy in _NUMPY_NAMES.items()}[str(dtype)]


@dataclass(frozen=True)
class TensorType:
    """Element dtype (a name of `DTYPES`) and shape; axis 0 is N and axis 1 is C wherever layers care."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @cached_property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def numpy(self) -> np.dtype:
        """The NumPy dtype of the elements."""
        return numpy_dtype(self.dtype)

    @property
    def bytes(self) -> int:
        """Size of the tensor in bytes."""
        return self.elements * self.numpy.itemsize

    @property
    def is_float(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self.dtype in ("f16", "f32", "f64", "bf16")

    @property
    def channels(self) -> int:
        """Size of axis 1, or 1 where there is none."""
        return self.shape[1] if self.rank > 1 else 1

    @property
    def spatial(self) -> tuple[int, ...]:
        """Sizes of the axes after N and C."""
        return self.shape[2:]

    def with_shape(self, shape: tuple[int, ...]) -> TensorType:
        """The same dtype with another shape."""
        return TensorType(self.dtype, shape)

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"
