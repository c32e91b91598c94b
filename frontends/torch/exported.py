"""PyTorch's `ExportedProgram` -> Program. Tensors are shared, not copied. The only module here that needs PyTorch."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch

from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.ir.weights import Held, WeightSource
from cnnir.types import numpy_dtype

from .listing import own_line
from .program import MEMORY, Argument, Call, Hint, Program, Ref, Result, Tensor, Where

_DTYPES: Mapping[Any, str] = {
    torch.float16: "f16", torch.float32: "f32", torch.float64: "f64", torch.bfloat16: "bf16", torch.bool: "bool",
    torch.int8: "i8", torch.int16: "i16", torch.int32: "i32", torch.int64: "i64",
    torch.uint8: "u8", torch.uint16: "u16", torch.uint32: "u32", torch.uint64: "u64",
    torch.float8_e4m3fn: "f8e4m3", torch.float8_e5m2: "f8e5m2",
}  # fmt: skip


def export(module: Any, example_inputs: tuple[Any, ...]) -> Any:
    """The module exported as it is used, not as it is trained; it is left in the mode that it was in."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        return torch.export.export(module, example_inputs)
    except Exception as error:  # the tracer raises whatever the model's own code does
        reason = str(error).strip().splitlines()[:8]
        help = "run the model on the example first; control flow that depends on data has no place in a graph"
        what = f"`{type(module).__name__}` cannot be exported by torch.export: {type(error).__name__}"
        raise CnnirError(Diagnostic("C0863", what, notes=tuple(reason), help=help)) from error
    finally:
        for part in training:
            part.training = True


def read(exported: Any, name: str) -> Program:
    """The calls of an exported program, with its tensors."""
    state = _state(exported)
    inputs: list[Result] = []
    tensors: dict[str, Tensor] = {}
    nodes = {node.name: node for node in exported.graph.nodes}
    for spec in exported.graph_signature.input_specs:
        given = nodes[spec.arg.name]
        if spec.target is not None and spec.target in state:
            tensors[given.name] = Tensor(spec.target, state[spec.target])
        elif isinstance(given.meta.get("val"), torch.Tensor):
            inputs.append(Result(given.name, _hint(given.meta["val"])))
    calls = [_call(node) for node in nodes.values() if node.op == "call_function" and not _is_part(node)]
    last = next(node for node in nodes.values() if node.op == "output")
    specs = exported.graph_signature.output_specs
    outputs = [_argument(a) for a, spec in zip(last.args[0], specs, strict=True) if spec.kind.name == "USER_OUTPUT"]
    return Program(name, name, inputs, tensors, calls, outputs, state)


def _state(exported: Any) -> dict[str, WeightSource]:
    """Parameters, buffers and constants by their names."""
    persistent = exported.state_dict
    found: dict[str, WeightSource] = {}
    for key, tensor in persistent.items():
        found[key] = Held(_array(key, tensor), "parameter" if isinstance(tensor, torch.nn.Parameter) else "buffer")
    for key, tensor in exported.constants.items():
        if isinstance(tensor, torch.Tensor):
            found[key] = Held(_array(key, tensor), "constant")
    return found


def _array(key: str, tensor: Any) -> np.ndarray[Any, Any]:
    """The tensor's own memory as an array."""
    if tensor.is_meta or tensor.layout != torch.strided or tensor.dtype not in _DTYPES:
        what = f"the tensor `{key}` has no elements to read: {tensor.dtype} on {tensor.device}"
        raise CnnirError(Diagnostic("C0863", what, help="load the weights before exporting, as dense tensors"))
    dtype, plain = numpy_dtype(_DTYPES[tensor.dtype]), tensor.detach().cpu()
    if dtype.kind == "V" or dtype.name.startswith(("bfloat", "float8")):  # NumPy has none of its own
        whole = torch.int16 if dtype.itemsize == 2 else torch.int8
        return plain.contiguous().view(whole).numpy().view(dtype)
    return plain.resolve_conj().resolve_neg().numpy()


def _size(size: Any) -> int | None:
    return size if isinstance(size, int) else None


def _hint(value: Any) -> Hint | None:
    if not isinstance(value, torch.Tensor):
        return None
    return Hint(_DTYPES.get(value.dtype, "?"), tuple(map(_size, value.shape)), tuple(map(str, value.shape)))


def _call(node: Any) -> Call:
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path, kind = stack[-1] if stack else ("", "")
    kind = kind if isinstance(kind, str) else kind.__name__
    where = Where(str(path).removeprefix("L['self']").lstrip("."), kind.rpartition(".")[2], own_line(node.meta.get("stack_trace") or ""))
    value = node.meta.get("val")
    several = isinstance(value, tuple | list)
    parts = list(cast("list[Any]", value)) if several else [value]
    results = tuple(Result(f"{node.name}:{i}" if several else node.name, _hint(part)) for i, part in enumerate(parts))
    return Call(node.name, _target(node.target), _arguments(node), results, several, where)


def _target(target: Any) -> str:
    name = getattr(target, "name", None)
    if callable(name) and isinstance(target, torch._ops.OpOverload):
        return str(target)
    return f"_operator.{target.__name__}" if getattr(target, "__module__", "") == "_operator" else str(getattr(target, "__name__", target))


def _arguments(node: Any) -> dict[str, Argument]:
    """By the names of the schema; of other functions by place."""
    schema = getattr(node.target, "_schema", None)
    names = [a.name for a in schema.arguments] if schema else [f"_{i}" for i in range(len(node.args))]
    given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    return {name: _argument(value) for name, value in given.items() if name not in MEMORY}


def _is_part(node: Any) -> bool:
    """Whether a node only takes one of several results."""
    return node.op == "call_function" and node.target is operator.getitem


def _argument(value: Any) -> Argument:
    if isinstance(value, torch.fx.Node):
        return Ref(f"{value.args[0].name}:{value.args[1]}") if _is_part(value) else Ref(value.name)
    if isinstance(value, list | tuple):
        return tuple(_argument(part) for part in cast("list[Any]", value))
    if isinstance(value, torch.dtype):
        return _DTYPES.get(value, "?")
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
