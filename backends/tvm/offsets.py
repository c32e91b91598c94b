"""Relax passes that put intermediate results at offsets of one block, which TVM's own planner does not do.

TVM's kernels take tensors that begin where their memory does. A kernel is given parameters that may begin later, and its
body what it had: views of them, so that not one instruction inside changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tvm
from tvm import ir, relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator

from .arena import Arena, arrange
from .plan import Plan
from .runner import ALIGNMENT

if TYPE_CHECKING:
    from tvm.tirx import PrimFunc

_ALLOCATE = ir.Op.get("relax.builtin.alloc_tensor")


def lower(module: tvm.IRModule, plan: Plan) -> tvm.IRModule:
    """The module of a plan with every call made on memory that is arranged: what the virtual machine's code is made of."""
    passes: list[Any] = [relax.transform.ToNonDataflow(), relax.transform.RemovePurityChecking(), relax.transform.CallTIRRewrite()]
    lowered = tvm.transform.Sequential(passes)(module)
    arena = arrange(plan)
    for variable, function in lowered.functions_items():
        if isinstance(function, tirx.PrimFunc):
            lowered.update_func(variable, at_any_offset(function))
    if arena.bytes:
        main = next(v for v, _ in lowered.functions_items() if v.name_hint == "main")
        lowered.update_func(main, _Placed(lowered, plan, arena).visit_expr(lowered[main]))
    return tvm.transform.Sequential(
        [
            relax.transform.LowerAllocTensor(),
            relax.transform.KillAfterLastUse(),
            relax.transform.LowerRuntimeBuiltin(),
            relax.transform.ComputePrimValue(),
            relax.transform.VMShapeLower(),
            relax.transform.AttachGlobalSymbol(),
        ]
    )(lowered)


def at_any_offset(function: PrimFunc) -> PrimFunc:
    """The function on tensors that begin at any multiple of 64 bytes of their memory."""
    parameters: list[Any] = []
    views: list[Any] = []
    for own in function.params:
        item = np.dtype("uint16" if str(own.dtype) == "bfloat16" else str(own.dtype)).itemsize
        offset = tirx.Var(f"{own.name}_offset", "int64")
        given = tirx.decl_buffer(
            own.shape, own.dtype, f"{own.name}_given", elem_offset=offset, offset_factor=ALIGNMENT // item, data_alignment=ALIGNMENT
        )
        parameters.append(given)
        start = tirx.BufferLoad(given, [0] * len(own.shape))
        views.append(tirx.DeclBuffer(own, data=tirx.address_of(start)))
    return tirx.PrimFunc(parameters, tirx.SeqStmt([*views, function.body]), function.ret_type, function.attrs)


@mutator
class _Placed(PyExprMutator):
    """Tensors in the order in which calls fill them: `CallTIRRewrite` allocates one before each call."""

    def __init__(self, module: tvm.IRModule, plan: Plan, arena: Arena) -> None:
        super().__init__(module)
        self._order = iter(call.output for call in plan.calls)
        self._arena = arena
        self._storage: Any = None

    def visit_call_(self, op: Any) -> Any:
        """Takes the place of an allocation, where the buffer has one in the arena."""
        if op.op != _ALLOCATE:
            return super().visit_call_(op)
        buffer = next(self._order)
        if buffer.name not in self._arena.offsets:
            return super().visit_call_(op)
        if self._storage is None:
            size = relax.ShapeExpr([self._arena.bytes])
            self._storage = self.builder_.emit(relax.op.memory.alloc_storage(size, 0, "global", "uint8"))
        shape = relax.ShapeExpr(list(buffer.shape))
        return relax.op.memory.alloc_tensor(self._storage, self._arena.offsets[buffer.name], shape, buffer.dtype)
