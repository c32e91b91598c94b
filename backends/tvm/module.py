"""Plan -> Relax module: one `call_tir` per kernel call, weights as arguments of `main`."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from tvm import relax

from .plan import Buffer, Plan

if TYPE_CHECKING:
    import tvm


def relax_module(plan: Plan) -> tvm.IRModule:
    """The module whose `main(inputs..., constants...)` returns the tuple of outputs in the plan's order.

    No name of the user's gets in: buffers and kernels are numbered, so nothing can collide with a TVM or C symbol.
    """
    builder = relax.BlockBuilder()
    parameters = [*plan.inputs.values(), *(c.buffer for c in plan.constants)]
    held = {b.name: relax.Var(b.name, _tensor_type(b)) for b in parameters}
    functions: dict[Hashable, Any] = {}
    with builder.function("main", list(held.values())):
        with builder.dataflow():
            for call in plan.calls:
                if call.kernel not in functions:
                    name = f"kernel{len(functions)}"
                    functions[call.kernel] = builder.add_func(call.build(name), name)
                arguments = [held[b.name] for b in call.operands]
                held[call.output.name] = builder.emit(relax.call_tir(functions[call.kernel], arguments, _tensor_type(call.output)))
            results = [held[b.name] for b in plan.outputs.values()]
            outputs = builder.emit_output(relax.Tuple(results))
        builder.emit_func_output(outputs)
    return builder.finalize()


def _tensor_type(buffer: Buffer) -> Any:
    return relax.TensorType(buffer.shape, buffer.dtype)
