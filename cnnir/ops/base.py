"""What an op is: attributes, arity, parameters, shape rule and NumPy meaning, each declared once on one class."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.types import STORAGE, TensorType

if TYPE_CHECKING:
    from cnnir.facts.interval import Interval
    from cnnir.facts.precision import Precision

T = TypeVar("T")
Array = np.ndarray[Any, Any]
Value = Any
"""A value of a graph, of which an op only knows that it can be handed on."""
Emit = Callable[..., Value]
Init = Literal["he", "around_one", "around_zero", "slope"]


@dataclass(frozen=True)
class Parameter:
    """What an op needs in one of its roles: a shape, a dtype, and how to draw it where no file gives it.

    `he`: normal with standard deviation sqrt(2 / fan_in); `around_one`: uniform in [0.5, 1.5); `around_zero`: normal
    with standard deviation 0.1; `slope`: 0.25 everywhere, PyTorch's PReLU default.
    """

    shape: tuple[int, ...]
    dtype: str = "f32"
    init: Init = "he"
    fan_in: int = 1
    learned: bool = True
    """Whether gradients change it in training: not so statistics and masks."""


@dataclass(frozen=True)
class PerAxis:
    """How a language fills a field that holds one number per spatial axis (`pads`: all begins, then all ends).

    One number written stands for every axis; where nothing is written, the field called `like` is copied, or `fill`
    stands on every axis; without either the field must be written.
    """

    fill: int | None = None
    like: str = ""
    pads: bool = False
    same: bool = True
    """Whether `same` may be written for pads, which are then those of `same_pads`."""


VARIADIC: Mapping[str, bool] = {"variadic": True}
"""Metadata of a tuple field that takes all positional arguments of a call: `reshape(1, -1)` for `reshape([1, -1])`."""


def per_axis(fill: int | None = None, like: str = "", pads: bool = False, same: bool = True) -> Mapping[str, PerAxis]:
    """Metadata of a dataclass field that is a `PerAxis`."""
    return {"axes": PerAxis(fill, like, pads, same)}


@dataclass(frozen=True)
class Op:
    """A layer's operation. Subclasses are frozen dataclasses whose fields are the attributes, in `.cnn` order."""

    name: ClassVar[str] = ""
    """The spelling in a `.cnn` file."""
    listed: ClassVar[bool] = True
    """Whether a chain calls it by that name: what users define and opaque nodes have names of their own."""
    inputs: ClassVar[tuple[int, int]] = (1, 1)
    """Least and greatest number of data inputs."""
    separates_zeros: ClassVar[bool] = False
    """Whether -0 and +0 in its data may give results that differ in more than the sign of a zero. Elementwise ops are asked
    through their formulas; an op that nothing is known of must say True."""

    keeps_elements: ClassVar[bool] = False
    """Whether the output holds the elements of the only input in their order, at most in another shape."""

    def parameters(self, inputs: Sequence[TensorType]) -> Mapping[str, Parameter]:
        """Role -> parameter that a layer with these input types needs."""
        del inputs
        return {}

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Output types; raises OpError where the attributes and the input types do not fit."""
        raise NotImplementedError(type(self).__name__)

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """The NumPy meaning, one array per output."""
        raise NotImplementedError(type(self).__name__)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Multiply-accumulate operations of one run."""
        del inputs, outputs
        return 0

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """The range of the output's elements from those of the inputs; `parameters()` reads the weights.

        Without a rule of its own an op gives every finite number: that is what the contract says of data at a site.
        """
        del inputs, types, parameters
        from cnnir.facts.interval import unknown  # facts are about ops, so ops come first

        return unknown(precision)

    def slot_range(
        self,
        slot: int,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """The range of output `slot`, of this precision: `output_range` for all of them, unless they hold different things."""
        del slot
        return self.output_range(inputs, types, parameters, precision)

    def alone(self, slot: int, inputs: Sequence[TensorType]) -> Op:
        """An op on the same inputs whose only output is output `slot` of this one: what a backend makes one kernel of."""
        del inputs
        if slot:
            raise NotImplementedError(type(self).__name__)
        return self

    def expand(self, emit: Emit, data: Sequence[Value], types: Sequence[TensorType]) -> tuple[Value, ...] | None:
        """The outputs as other layers make them, for a backend that has no rule of its own for this op; None where they do not.

        `emit(op, *values, **weights)` adds a layer and gives its first output; `weights` are this op's roles by the layer's.
        """
        del emit, data, types
        return None

    def without(self, absent: tuple[int, ...]) -> Op:
        """This op with the inputs of these slots left out; raises OpError where it needs them."""
        if absent:
            raise OpError("C0201", f"`{self.name}` has no input that may be absent")
        return self

    def attributes(self) -> Mapping[str, Any]:
        """Field name -> value, in declaration order."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def check_arity(self, count: int) -> None:
        """Raise OpError unless `count` data inputs are acceptable."""
        least, most = self.inputs
        if not least <= count <= most:
            expected = str(least) if least == most else f"{least} to {most}"
            raise OpError("C0201", f"`{self.name}` takes {expected} inputs, got {count}")


@dataclass(frozen=True)
class OptionalInputs(Op):
    """An op whose inputs after the first `inputs[0]` may be absent; whoever adds the layer says which are.

    What an op is given leaves the absent ones out: `slots` puts the others in their places.
    """

    absent: tuple[int, ...] = field(default=(), kw_only=True, metadata={"written": False})  # a language says it with `none`

    def without(self, absent: tuple[int, ...]) -> Op:
        needed = [slot for slot in absent if slot < self.inputs[0]]
        if needed:
            raise OpError("C0201", f"input {needed[0]} of `{self.name}` may not be absent")
        return self if absent == self.absent else replace(self, absent=absent)

    def slots(self, given: Sequence[T]) -> list[T | None]:
        """What is given, by slot, with None for absent inputs; as long as the op has inputs at most."""
        rest, found = list(given), list[T | None]()
        while rest:
            found.append(None if len(found) in self.absent else rest.pop(0))
        return found


def require(condition: bool, code: str, message: str, *, help: str | None = None, remark: str = "") -> None:
    """Raise OpError(code, message) unless `condition` holds."""
    if not condition:
        raise OpError(code, message, help=help, remark=remark)


def require_float(op: Op, types: Sequence[TensorType]) -> None:
    """Raise OpError unless every input has a floating dtype."""
    for slot, t in enumerate(types):
        if not t.is_float:
            raise OpError("C0205", f"`{op.name}` needs floating-point inputs", slot=slot)


def require_numbers(op: Op, types: Sequence[TensorType]) -> None:
    """Raise OpError where an input holds what is only stored: truth values and 8-bit floats."""
    for slot, t in enumerate(types):
        if t.dtype in STORAGE:
            raise OpError("C0205", f"`{op.name}` does not compute in {t.dtype}", help="put `cast(f32)` in front of it", slot=slot)


def require_rank(op: Op, t: TensorType, least: int, most: int) -> None:
    """Raise OpError unless least <= rank <= most."""
    if not least <= t.rank <= most:
        wanted = f"rank {least}" if least == most else f"rank {least} to {most}"
        raise OpError("C0202", f"`{op.name}` needs an input of {wanted}", slot=0)


def require_axes(op: Op, t: TensorType, axes: int) -> None:
    """Raise OpError unless there are one to three spatial axes, and as many as the kernel has."""
    require_rank(op, t, 3, 5)
    if t.rank != 2 + axes:
        raise OpError("C0202", f"`{op.name}` with a kernel of {axes} axes needs an input of rank {2 + axes}", slot=0)
