"""What a network is given: declared inputs, and layers that read training data, of which only the shapes are of interest."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from cnnir.diagnostics import CnnirError, Span

from ..problems import refuse
from .net import Layer

Shape = tuple[int, ...]
Shapes = Mapping[str, Sequence[int]]
MAX_SIZE = 2**31 - 1
MAX_AXES = 32
"""Caffe's own limit."""


def shape_of(layer: Layer, slot: int, given: Shapes) -> Shape:
    """The shape of what a layer hands in by one of its tops: as `given`, or as the file says; raises CnnirError."""
    blob = layer.tops[slot]
    if blob.name in given:
        return _checked(tuple(given[blob.name]), blob.span, blob.name)
    shape = layer.shape if layer.shape is not None else _READERS[layer.type](layer, slot)
    if shape is None:
        message = f"the shape of `{blob.name}` is in the data, not in this file"
        raise refuse("C0222", message, blob.span, help=f"give it with `--shape {blob.name}=1,3,224,224`, or `shapes=` in Python")
    return _checked(shape, blob.span, blob.name)


def _checked(shape: Shape, span: Span, name: str) -> Shape:
    if not 0 < len(shape) <= MAX_AXES:
        raise refuse("C0210", f"the shape of `{name}` has {len(shape)} axes: tensors have 1 to {MAX_AXES}", span)
    wrong = next((n for n in shape if not 1 <= n <= MAX_SIZE), None)
    if wrong is not None:
        raise refuse("C0210", f"a size of `{name}` is {wrong}: sizes are 1 to 2^31 - 1", span)
    if math.prod(shape) >= 2**63:
        raise refuse("C0210", f"`{name}` is too large: its elements do not count in 64 bits", span)
    return shape


def _input(layer: Layer, slot: int) -> Shape | None:
    shapes = [tuple(s.wholes("dim")) for s in layer.parameter("input_param").records("shape")]
    if len(shapes) not in (1, len(layer.tops)):
        raise _uneven(layer, len(shapes), "shape")
    return shapes[slot if len(shapes) > 1 else 0]


def _dummy(layer: Layer, slot: int) -> Shape | None:
    said = layer.parameter("dummy_data_param")
    shapes = [tuple(s.wholes("dim")) for s in said.records("shape")]
    sizes = [said.wholes(name) for name in ("num", "channels", "height", "width")]
    if not shapes:
        if len({len(s) for s in sizes}) > 1:
            raise _uneven(layer, len(sizes[0]), "num, channels, height and width")
        shapes = list(zip(*sizes, strict=True))
    if len(shapes) not in (1, len(layer.tops)):
        raise _uneven(layer, len(shapes), "shape")
    return tuple(shapes[slot if len(shapes) > 1 else 0])


def _memory(layer: Layer, slot: int) -> Shape | None:
    said = layer.data("memory_data_param", "MemoryDataParameter")
    shape = tuple(said.whole(name) for name in ("batch_size", "channels", "height", "width"))
    return shape[:1] if slot else shape


def _database(layer: Layer, slot: int) -> Shape | None:
    name = "window_data_param" if layer.type == "WindowData" else "data_param"
    said, transform = layer.data(name, "DataParameter"), layer.data("transform_param", "TransformationParameter")
    if slot:
        return (said.whole("batch_size"),)
    size = transform.whole("crop_size") or said.whole("crop_size")
    gray = transform.flag("force_gray") or len(transform.scalars("mean_value")) == 1
    return (said.whole("batch_size"), 1 if gray else 3, size, size) if size else None


def _images(layer: Layer, slot: int) -> Shape | None:
    said, transform = layer.data("image_data_param", "ImageDataParameter"), layer.data("transform_param", "TransformationParameter")
    batch, channels = said.whole("batch_size") or 1, 3 if said.flag("is_color") else 1
    if slot:
        return (batch,)
    size = transform.whole("crop_size") or said.whole("crop_size")
    high, wide = (size, size) if size else (said.whole("new_height"), said.whole("new_width"))
    return (batch, channels, high, wide) if high and wide else None


def _unknown(layer: Layer, slot: int) -> Shape | None:
    del layer, slot
    return None


def _uneven(layer: Layer, count: int, what: str) -> CnnirError:
    return refuse("C0842", f"{count} times `{what}` for {len(layer.tops)} tops", layer.span)


_READERS: Mapping[str, Callable[[Layer, int], Shape | None]] = {
    "Input": _input, "DummyData": _dummy, "MemoryData": _memory, "Data": _database, "WindowData": _database, "ImageData": _images,
    "HDF5Data": _unknown, "AnnotatedData": _database,
}  # fmt: skip

DATA = frozenset(_READERS)
"""Types of layers that hand data in."""
