"""Elementwise ops: a formula over scalar primitives, and everything else derived from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.scalar.evaluate import evaluate
from cnnir.scalar.expr import Const, Expr, leaves
from cnnir.types import TensorType, broadcast, dtype_name

from .base import Array, Op, require_float, require_numbers

if TYPE_CHECKING:
    from cnnir.facts.interval import Interval
    from cnnir.facts.precision import Precision


def align(coefficient: Array, rank: int) -> Array:
    """A coefficient of shape (C,) or (C, H, W, ...) viewed so that it broadcasts along axis 1 of a rank-`rank` tensor."""
    if rank == 0:
        return coefficient.reshape(())
    if coefficient.ndim == 0 or rank == 1:
        return coefficient
    return coefficient.reshape(coefficient.shape + (1,) * (rank - 1 - coefficient.ndim))


@dataclass(frozen=True)
class Elementwise(Op):
    """An op whose output element depends on the elements at the same place of its inputs, by `formula`."""

    activation: ClassVar[bool] = True
    """Whether its evaluations count as activation work in reports (arithmetic and affine layers do not)."""
    steady: ClassVar[bool] = True
    """Whether it is this formula in training too. What its weights become there is another question."""
    floating: ClassVar[bool] = True
    """Whether it needs floating-point inputs."""

    def formula(self) -> Expr:
        """The layer as an expression over `Var(i)` for data input i and `Param(role)` for coefficients."""
        raise NotImplementedError(type(self).__name__)

    def coefficients(self, parameters: Mapping[str, Array]) -> Mapping[str, Array]:
        """Coefficients of the formula, of shape (), (C,) or (C, *spatial), computed from the parameters."""
        return parameters

    def written(self, data: TensorType) -> Mapping[str, Array]:
        """Coefficients that the attributes hold, for data of this type: of shape (), (C,), or of a rank up to the data's."""
        del data
        return {}

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """NumPy broadcasting over inputs of one dtype."""
        if self.floating:
            require_float(self, inputs)
        require_numbers(self, inputs)
        return (self.broadcast(inputs),)

    def broadcast(self, inputs: Sequence[TensorType]) -> TensorType:
        """The type of the output for inputs of one dtype, whatever it is."""
        first = inputs[0]
        for slot, t in enumerate(inputs):
            if t.dtype != first.dtype:
                raise OpError("C0205", f"`{self.name}` needs inputs of one dtype", slot=slot)
        shape = first.shape
        try:
            if any(t.shape != shape for t in inputs):
                shape = broadcast(*(t.shape for t in inputs))
        except ValueError:
            shapes = " and ".join(str(t) for t in inputs)
            raise OpError("C0204", f"the inputs of `{self.name}` do not fit together: {shapes}", slot=len(inputs) - 1) from None
        if not first.is_float:
            self._check_constants(first)
        return first.with_shape(shape)

    def _check_constants(self, data: TensorType) -> None:
        """Integer layers hold integers: 0.5 would become 0, and 300 does not fit a byte."""
        least, most = (0, 1) if data.dtype == "bool" else (np.iinfo(data.numpy).min, np.iinfo(data.numpy).max)
        for leaf in leaves(self.formula()):
            if isinstance(leaf, Const) and not (float(leaf.value).is_integer() and least <= leaf.value <= most):
                raise OpError(
                    "C0205",
                    f"`{self.name}` on {data.dtype} cannot hold the number {leaf.value:g}",
                    help=f"use an integer from {least} to {most}, or a float input",
                    slot=0,
                )

    def output_range(
        self,
        inputs: Sequence[Interval],
        types: Sequence[TensorType],
        parameters: Callable[[], Mapping[str, Array]],
        precision: Precision,
    ) -> Interval:
        """The formula on ranges, with coefficients anywhere between their least and greatest."""
        del precision  # the formula begins in that of the inputs
        from cnnir.facts.analyse import Analysis
        from cnnir.facts.fact import nothing
        from cnnir.facts.interval import around
        from cnnir.facts.precision import precision as of_dtype

        read: Mapping[str, Array] = self.coefficients(parameters()) if self.parameters(types) else {}
        found = {**read, **self.written(types[0])}
        analysis = Analysis(of_dtype(types[0].dtype), {role: around(np.ravel(c).tolist()) for role, c in found.items()})
        if len(inputs) > 1:
            return analysis.several(self.formula(), [nothing(r) for r in inputs]).range
        return analysis.on(self.formula(), inputs[0]).range

    def evaluate(self, inputs: Sequence[Array], parameters: Mapping[str, Array]) -> tuple[Array, ...]:
        """The formula, element by element, one rounding per primitive."""
        rank = max(i.ndim for i in inputs)
        data = TensorType(dtype_name(inputs[0].dtype), (1,) * (rank - inputs[0].ndim) + inputs[0].shape)
        found = {**self.coefficients(parameters), **self.written(data)}
        aligned = {role: align(np.asarray(c), rank) for role, c in found.items()}
        return (evaluate(self.formula(), inputs, aligned),)
