"""The inputs of a model: their types, and the sizes that `shapes` gives for symbols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnx import TypeProto, ValueInfoProto

from cnnir.diagnostics import Span
from cnnir.types import TensorType

from .elements import STORED, element_name
from .problems import Problems, refuse

Shapes = Mapping[str, Sequence[int]]
LONGEST = 2**31 - 1


def static_type(type: TypeProto) -> TensorType | None:
    """A tensor's type where every size is a number and the elements have a type here, else None."""
    tensor = type.tensor_type
    if not type.HasField("tensor_type") or tensor.elem_type not in STORED or not tensor.HasField("shape"):
        return None
    if any(not d.HasField("dim_value") or d.dim_value < 0 for d in tensor.shape.dim):
        return None
    return TensorType(STORED[tensor.elem_type], tuple(d.dim_value for d in tensor.shape.dim))


NAMELESS = ("", "?")
"""What exporters write for a size of which nothing is known: two of them may differ."""


@dataclass
class Inputs:
    """Gives inputs their types; `symbols` are the sizes known so far."""

    shapes: Shapes
    problems: Problems

    def types(self, declared: Sequence[tuple[ValueInfoProto, Span]]) -> dict[str, TensorType]:
        """Input name -> type, of those that have one; what is wrong with the others goes to the problems."""
        symbols: dict[str, int] = {}
        names = {info.name for info, _ in declared}
        for name in self.shapes:
            if name not in names:
                known = ", ".join(f"`{n}`" for n in sorted(names)[:8])
                self.problems.add(refuse("C0223", f"a shape is given for `{name}`, which is no input", help=f"inputs: {known}"))
        for info, span in declared:
            if info.name in self.shapes:
                self._bind(info, span, symbols)
        found: dict[str, TensorType] = {}
        unknown: list[tuple[ValueInfoProto, Span]] = []
        for info, span in declared:
            self._add(info, span, symbols, found, unknown)
        self._refuse_unknown(unknown)
        return found

    def _bind(self, info: ValueInfoProto, span: Span, symbols: dict[str, int]) -> None:
        shape = self.shapes[info.name]
        given = list(shape)
        if not info.type.tensor_type.HasField("shape"):
            return
        sizes = info.type.tensor_type.shape.dim
        if len(sizes) != len(given):
            self.problems.add(refuse("C0223", f"the shape {given} has {len(given)} sizes, and the input `{info.name}` {len(sizes)}", span))
            return
        for size, number in zip(sizes, given, strict=True):
            if size.HasField("dim_param"):
                if size.dim_param not in NAMELESS and symbols.setdefault(size.dim_param, number) != number:
                    known = symbols[size.dim_param]
                    self.problems.add(refuse("C0223", f"`{size.dim_param}` is {known} and {number}", span))
            elif size.HasField("dim_value") and size.dim_value > 0 and size.dim_value != number:
                self.problems.add(
                    refuse("C0223", f"the shape {given} does not fit the input `{info.name}`", span, remark=f"has {size.dim_value} there")
                )

    def _add(
        self,
        info: ValueInfoProto,
        span: Span,
        symbols: dict[str, int],
        found: dict[str, TensorType],
        unknown: list[tuple[ValueInfoProto, Span]],
    ) -> None:
        tensor = info.type.tensor_type
        if not info.type.HasField("tensor_type") or tensor.elem_type not in STORED:
            kind = element_name(tensor.elem_type) if info.type.HasField("tensor_type") else str(info.type.WhichOneof("value") or "no type")
            self.problems.add(refuse("C0812", f"input `{info.name}` is of {kind}, which has no type here", span))
            return
        if info.name in self.shapes:
            shape = tuple(self.shapes[info.name])
        elif not tensor.HasField("shape"):
            unknown.append((info, span))
            return
        else:
            sizes = [
                symbols.get(d.dim_param) if d.HasField("dim_param") else d.dim_value if d.HasField("dim_value") else None
                for d in tensor.shape.dim
            ]
            if None in sizes:
                unknown.append((info, span))
                return
            shape = tuple(n for n in sizes if n is not None)
        if any(not 1 <= n <= LONGEST for n in shape):
            help = f"sizes are from 1 to 2^31-1; `--shape {info.name}=1,3,224,224` gives others"
            self.problems.add(refuse("C0210", f"input `{info.name}` has the shape {list(shape)}", span, help=help))
            return
        found[info.name] = TensorType(STORED[tensor.elem_type], shape)

    def _refuse_unknown(self, unknown: list[tuple[ValueInfoProto, Span]]) -> None:
        if unknown:
            listing = ", ".join(f"`{info.name}`" for info, _ in unknown)
            example = " ".join(f"--shape {info.name}={_usual(info)}" for info, _ in unknown[:3])
            help = f"give them: `{example}`, or `shapes={{...}}` in Python"
            self.problems.add(refuse("C0222", f"sizes are not known of {listing}", unknown[0][1], help=help))


def _usual(info: ValueInfoProto) -> str:
    """A shape that somebody may mean: one image, of 224 by 224, where nothing is said."""
    sizes = info.type.tensor_type.shape.dim
    if not info.type.tensor_type.HasField("shape"):
        return "1,3,224,224"
    return ",".join(str(d.dim_value) if d.HasField("dim_value") else ("1" if i < 2 else "224") for i, d in enumerate(sizes))
