"""What every planner needs at hand: the network, the target, the plan so far."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnnir.ir.graph import Graph, Value
from cnnir.ops.elementwise import Elementwise

from .algorithm import Choose
from .plan import Array, Buffer, Constant, KernelCall, Layout, Plan, Values
from .regions import Step

if TYPE_CHECKING:
    from tvm.tirx import PrimFunc


@dataclass
class Context:
    """The state of planning one network for one target. `kind` is `llvm` or `cuda`, `lanes` the vector width in floats.

    `choose` gives the tiling of a Winograd convolution, or None for a direct one.
    """

    graph: Graph
    kind: str
    lanes: int
    plan: Plan
    values: Values
    choose: Choose

    def constant(self, stem: str, shape: Sequence[int], dtype: str, make: Callable[[], Array]) -> Buffer:
        """A new constant argument; `make` is called when the program is built."""
        buffer = Buffer(f"w{len(self.plan.constants)}_{stem}", tuple(shape), dtype)
        self.plan.constants.append(Constant(buffer, make))
        return buffer

    def call(
        self, kernel: Hashable, build: Callable[[str], PrimFunc], operands: Sequence[Buffer], shape: Sequence[int], dtype: str = "float32",
        layers: Sequence[str] = (), scheduled: bool = True,
    ) -> Buffer:  # fmt: skip
        """Plan one launch and return the buffer it fills."""
        output = Buffer(f"b{len(self.plan.calls)}", tuple(shape), dtype)
        self.plan.calls.append(KernelCall(kernel, build, tuple(operands), output, tuple(layers), scheduled))
        return output

    def operand(self, value: Value, layout: Layout) -> Buffer:
        """The buffer that holds a value in a layout."""
        return self.values.get(value, layout)

    def coefficient(self, layer: str, role: str) -> Array:
        """A coefficient of an elementwise layer's formula, or the bias of a heavy layer; reads its weights."""
        node = self.graph[layer]
        if isinstance(node.op, Elementwise):
            written = self.written(layer)
            return written[role] if role in written else np.asarray(node.op.coefficients(self.graph.parameters(layer))[role])
        return self.graph.weights[dict(node.weights)[role]]

    def written(self, layer: str) -> Mapping[str, Array]:
        """The coefficients that the attributes of a layer hold."""
        op, data = self.graph[layer].op, self.graph.data(layer)
        return op.written(self.graph.type(data[0])) if isinstance(op, Elementwise) else {}

    def coefficient_rank(self, layer: str, role: str) -> int:
        """Rank of a coefficient, without reading it: derived coefficients are as large as the layer's parameters."""
        written = self.written(layer)
        if role in written:
            return np.ndim(written[role])
        ranks = [len(self.graph.weights.shape(key)) for own, key in self.graph[layer].weights if own == role]
        return ranks[0] if ranks else max(len(self.graph.weights.shape(key)) for _, key in self.graph[layer].weights)


def step_keys(steps: Sequence[Step]) -> Hashable:
    """What distinguishes the code of steps: their expressions and operand counts, not where operands come from."""
    return tuple((step.expr, len(step.extras), len(step.coefficients)) for step in steps)
