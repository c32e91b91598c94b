"""The layers of a prototxt in one form, whether it says `layer` or the older `layers`: those of the network's own state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cnnir.diagnostics import Span

from ..problems import refuse
from .phase import State, included
from .record import Record
from .schema.messages import DATA
from .schema.v1 import V1_TYPES


@dataclass(frozen=True)
class Blob:
    """The name of a tensor at one of its places in the text."""

    name: str
    span: Span


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer as written: `shared` are the names of its parameters, empty where they are its own.

    `shape` is that of a network input declared outside of any layer.
    """

    name: str
    type: str
    bottoms: tuple[Blob, ...]
    tops: tuple[Blob, ...]
    span: Span
    record: Record
    shared: tuple[str, ...] = ()
    shape: tuple[int, ...] | None = field(default=None)

    def parameter(self, name: str) -> Record:
        """The message of that name, such as `convolution_param`; empty where the file gives none."""
        return self.record.record(name)

    def data(self, name: str, schema: str) -> Record:
        """A message of a layer that reads data."""
        return self.record.record(name, DATA[schema])


@dataclass(frozen=True)
class Net:
    """A network as written; `absent` are tops of layers that belong to another phase, level or stage."""

    name: str
    layers: tuple[Layer, ...]
    absent: tuple[Blob, ...] = ()


def read_net(root: Record) -> Net:
    """Inputs and layers in order, without the layers of other phases, levels and stages; raises CnnirError."""
    state = State.of(root.record("state"))
    current = [*root.records("layer")]
    older = [*root.records("layers")]
    if current and older:
        span = older[0].span()
        raise refuse("C0842", "a network has either `layer` or the older `layers`, not both", Span(span.source, span.start, span.start + 1))
    written = [(record, included(record, state)) for record in current or older]
    layers = [_layer(record, bool(older)) for record, present in written if present]
    absent = [blob for record, present in written if not present for blob in _blobs(record, "top")]
    return Net(root.text("name"), (*_inputs(root), *layers), tuple(absent))


def _layer(record: Record, older: bool) -> Layer:
    if "layer" in record.schema and "layer" in record:
        raise refuse(
            "C0844", "a layer within a layer, as Caffe had it until 2013", _head(record),
            help="upgrade the file with Caffe's `upgrade_net_proto_text`",
        )  # fmt: skip
    written = record.text("type")
    if not written:
        raise refuse("C0842", "a layer without a type", _head(record), help='write `type: "Convolution"`')
    shared = record.texts("param") if older else [spec.text("name") for spec in record.records("param")]
    span = record.span("name") if "name" in record else record.span("type")
    name = record.text("name") or written
    return Layer(name, V1_TYPES.get(written, written), _blobs(record, "bottom"), _blobs(record, "top"), span, record, tuple(shared))


def _head(record: Record) -> Span:
    """Where a layer's message begins."""
    span = record.span()
    return Span(span.source, span.start, span.start + 1)


def _blobs(record: Record, role: str) -> tuple[Blob, ...]:
    return tuple(Blob(s.content, Span(record.source, s.start, s.end)) for s in record.scalars(role))


def _inputs(root: Record) -> Iterator[Layer]:
    """Inputs that are declared at the top of the file: `input:` with `input_dim:` or `input_shape`."""
    blobs, shapes = _blobs(root, "input"), [tuple(shape.wholes("dim")) for shape in root.records("input_shape")]
    if not shapes:
        dims = root.wholes("input_dim")
        if len(dims) != 4 * len(blobs):
            message = f"{len(dims)} `input_dim` for {len(blobs)} `input`: there are four for each"
            raise refuse("C0842", message, blobs[0].span if blobs else root.span("input_dim"))
        shapes = [tuple(dims[4 * i : 4 * i + 4]) for i in range(len(blobs))]
    if len(shapes) != len(blobs):
        place = blobs[0].span if blobs else root.span("input_shape")
        raise refuse("C0842", f"{len(shapes)} `input_shape` for {len(blobs)} `input`", place)
    for blob, shape in zip(blobs, shapes, strict=True):
        yield Layer(blob.name, "Input", (), (blob,), blob.span, root, (), shape)
