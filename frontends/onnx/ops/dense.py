"""Products of matrices: with known weights they are dense layers."""

from __future__ import annotations

import numpy as np

from cnnir.ops.arithmetic import Add, Mul
from cnnir.ops.convolution import Dense
from cnnir.ops.matmul import MatMul
from cnnir.ops.shape import Transpose

from ..context import Context
from ..node import Array, Known, Node, Operand
from ..registry import reads
from .arithmetic import between


@reads("MatMul")
def matmul(node: Node, context: Context) -> Operand:
    """MatMul: rows times a known matrix are a dense layer."""
    a, b = node.data(0), node.data(1)
    data = context.type(a)
    if isinstance(b, Known) and b.type.rank == 2 and data.rank == 2 and data.is_float and data.shape[1] == b.type.shape[0]:
        return context.emit(Dense(b.type.shape[1], False), a, weight=transposed(b))
    return context.emit(MatMul(), a, b)


def transposed(weight: Known) -> Known:
    """A matrix turned around."""
    return weight.turned("transposed", weight.type.shape[::-1], lambda a: a.T)


@reads("Gemm")
def gemm(node: Node, context: Context) -> Operand:
    """alpha A B + beta C."""
    alpha, beta = node.float("alpha", 1.0), node.float("beta", 1.0)
    a, b, c = node.data(0), node.data(1), node.input(2)
    if node.int("transA"):
        a = context.emit(Transpose((1, 0)), a)
    data, kind = context.type(a), context.type(b)
    outputs = kind.shape[0 if node.int("transB") else -1]
    plain = (
        isinstance(b, Known)
        and data.is_float
        and kind.rank == 2
        and data.rank == 2
        and kind.shape[1 if node.int("transB") else 0] == data.shape[1]
    )
    if plain and isinstance(b, Known):
        weight = _scaled(b if node.int("transB") else transposed(b), alpha)
        if isinstance(c, Known) and c.type.shape in ((outputs,), (1, outputs), (1,), (), (1, 1)):
            bias = _scaled(
                c.turned("bias", (outputs,), lambda v: np.broadcast_to(v.reshape(-1), (outputs,))) if c.type.shape != (outputs,) else c,
                beta,
            )
            return context.emit(Dense(outputs, True), a, weight=weight, bias=bias)
        product = context.emit(Dense(outputs, False), a, weight=weight)
    else:
        product = context.emit(MatMul(), a, context.emit(Transpose((1, 0)), b) if node.int("transB") else b)
        product = context.emit(Mul(alpha), product) if alpha != 1 else product
    if c is None:
        return product
    return between(context, Add, product, context.emit(Mul(beta), c) if beta != 1 else c)


def _scaled(weight: Known, factor: float) -> Known:
    """A weight times a number, rounded once."""

    def times(array: Array) -> Array:
        return (array.astype(np.float64) * factor).astype(array.dtype)

    return weight if factor == 1 else weight.turned(f"times_{factor:g}", weight.type.shape, times)
