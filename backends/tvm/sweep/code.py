"""A formula as machine code: compiled as a network of one layer, by what compiles every network, so that it is the same code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.facts.precision import Precision, precision
from cnnir.ir.graph import Graph
from cnnir.ops.activation import UserActivation
from cnnir.scalar.expr import Expr, Param, Var, leaves
from cnnir.types import TensorType

from ..compile import compile_graph
from ..cpu import check_cpu
from ..program import Program
from ..runner import Machine, aligned_empty, as_tensor
from ..targets import TargetSpec

SIZE = 1 << 19
"""Elements a call, where there are so many inputs: input and output fit the caches of a core."""


@dataclass(frozen=True)
class Code:
    """A compiled formula of one variable."""

    program: Program
    precision: Precision
    size: int
    """Elements a call."""

    def opened(self) -> Evaluator:
        """One of any number of copies that run side by side, each on a thread of its own."""
        return Evaluator(Machine(self.program.library, 1), aligned_empty((1, self.size), self.precision.numpy))


@dataclass(frozen=True)
class Evaluator:
    """Calls compiled code on the array `inputs`, of shape [1, size]."""

    machine: Machine
    inputs: np.ndarray

    def outputs(self) -> np.ndarray:
        """The values at `inputs`, in a new array."""
        (result,) = self.machine.run([as_tensor(self.inputs)])
        return result[0]

    def close(self) -> None:
        """Stop its thread."""
        self.machine.close()


def compile_formula(expr: Expr, dtype: str, spec: TargetSpec) -> Code:
    """Compile a formula of Var(0) without coefficients, for vectors of `dtype`.

    Raises CnnirError (exit code 3) for a target that this machine cannot run.
    """
    kinds = {leaf for leaf in leaves(expr) if isinstance(leaf, Param | Var)}
    if kinds != {Var(0)}:
        raise ValueError(f"a formula that is swept has the one variable Var(0), not {kinds}")
    if spec.kind != "llvm":
        message = f"cannot sweep for `{spec}`: the code would have to run here, on every input"
        raise CnnirError(Diagnostic("C0507", message, help="a sweep is for `llvm`"), 3)
    known = precision(dtype)
    size = min(SIZE, 1 << 8 * known.numpy.itemsize)
    graph = Graph("sweep")
    value = graph.add(UserActivation("f", expr), [graph.add_input("x", TensorType(dtype, (1, size)))])
    graph.results["y"] = value
    program = compile_graph(graph, spec, 1)
    check_cpu(program.manifest.cpu_features, program.library)
    return Code(program, known, size)
