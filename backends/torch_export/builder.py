"""What every rule of the way back to PyTorch writes into: one torch.fx graph, and a module that holds the weights by their keys."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeAlias

import numpy as np
import torch
from torch import fx, nn

from cnnir.diagnostics import CnnirError, Diagnostic, Label, OpError
from cnnir.ir.graph import Graph, Layer, Value
from cnnir.ir.weights import Held, Kind
from cnnir.types import numpy_dtype

Node: TypeAlias = Any
"""A node of torch.fx, or a number in the place of one."""
DTYPES: Mapping[str, Any] = {
    "f16": torch.float16, "f32": torch.float32, "f64": torch.float64, "bf16": torch.bfloat16, "bool": torch.bool,
    "i8": torch.int8, "i16": torch.int16, "i32": torch.int32, "i64": torch.int64,
    "u8": torch.uint8, "u16": torch.uint16, "u32": torch.uint32, "u64": torch.uint64,
    "f8e4m3": torch.float8_e4m3fn, "f8e5m2": torch.float8_e5m2,
}  # fmt: skip
_STRANGE = re.compile(r"[^\w/:+\- ]", re.ASCII)


def unsupported(reason: str) -> NoReturn:
    """Say that a layer has no PyTorch counterpart."""
    raise OpError("C0871", reason)


def identifier(name: str) -> str:
    """A name that may stand in generated code, whatever the user's is."""
    plain = re.sub(r"\W", "_", name, flags=re.ASCII)
    return f"_{plain}" if not plain or plain[0].isdigit() or keyword.iskeyword(plain) or plain == "self" else plain


def attribute_path(key: str) -> str:
    """The key of a weight as a path of attributes: itself, but for signs that have no place in generated code."""
    return _STRANGE.sub(lambda sign: sign[0] if sign[0] == "." else f"_{ord(sign[0]):x}_", key)


def tensor_of(array: np.ndarray[Any, Any]) -> Any:
    """A tensor with memory of its own: training must not change the network's weights."""
    copy = np.array(array, order="C")
    if copy.dtype.kind == "V" or copy.dtype.name.startswith(("bfloat", "float8")):  # PyTorch does not take these from NumPy
        name = next(n for n in ("bf16", "f8e4m3", "f8e5m2") if numpy_dtype(n) == copy.dtype)
        return torch.from_numpy(copy.view(np.int16 if copy.dtype.itemsize == 2 else np.int8)).view(DTYPES[name])
    return torch.from_numpy(copy)


class Builder:
    """Collects the module of one network."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.fx = fx.Graph()
        self.module = fx.GraphModule(nn.Module(), fx.Graph(), identifier(graph.name or "network"))
        self.nodes: dict[Value, Node] = {}
        self.problems: list[Diagnostic] = []
        self._paths: dict[str, str] = {}
        self._memory: dict[object, Any] = {}
        self._stem = ""

    # -- weights ----------------------------------------------------------------------------------------------------

    def attach_weights(self) -> None:
        """Give the module every weight that a layer has, and all that came from a state dict, in the order of the store."""
        roles = self._roles()
        for key in self.graph.weights:
            source = self.graph.weights.source(key)
            named = isinstance(source, Held) and source.kind != "constant"
            if key in roles or named:
                self._attach(key, self._kind(key, roles))

    def _roles(self) -> dict[str, bool]:
        """Key -> whether a layer would learn it, and none has it as a statistic or a mask."""
        found: dict[str, bool] = {}
        for layer in self.graph.layers():
            needed = layer.op.parameters([self.graph.type(v) for v in self.graph.data(layer.name)])
            for role, key in layer.weights:
                found[key] = found.get(key, True) and needed[role].learned
        return found

    def _kind(self, key: str, roles: Mapping[str, bool]) -> Kind:
        source = self.graph.weights.source(key)
        if isinstance(source, Held) and source.kind != "parameter":
            return source.kind
        floating = source.dtype.kind not in "iub"
        return "parameter" if roles.get(key, True) and floating else "buffer"

    def _attach(self, key: str, kind: Kind) -> None:
        path = self._paths[key] = attribute_path(key)
        array = self.graph.weights[key]
        memory = (array.__array_interface__["data"][0], array.shape, array.strides, array.dtype)
        tensor = self._memory.get(memory) if array.size else None
        if tensor is None:
            tensor = tensor_of(array)
            tensor = self._memory[memory] = nn.Parameter(tensor) if kind == "parameter" else tensor
        *folders, last = path.split(".")
        owner: Any = self.module
        try:
            for folder in folders:
                if folder not in owner._modules:
                    owner.add_module(folder, nn.Module())
                owner = owner._modules[folder]
            if isinstance(tensor, nn.Parameter):
                owner.register_parameter(last, tensor)
            else:
                owner.register_buffer(last, tensor, persistent=kind != "constant")
        except KeyError as error:
            what = f"a module cannot have a weight called `{key}`: {error.args[0]}"
            raise CnnirError(Diagnostic("C0871", what, help="give the weight another name, with `weight=`")) from error

    def weight(self, layer: Layer, role: str, shape: tuple[int, ...] | None = None) -> Node:
        """The layer's weight in a role, optionally read in another shape."""
        key = dict(layer.weights)[role]
        node = self.attribute(key)
        if shape is None or shape == self.graph.weights.shape(key):
            return node
        return self.call(torch.reshape, node, shape)

    def attribute(self, key: str) -> Node:
        """A weight by its key."""
        return self.fx.get_attr(self._paths[key])

    def constant(self, array: np.ndarray[Any, Any]) -> Node:
        """A tensor that is part of the module and of no state dict."""
        return self._own("constant", lambda name: self.module.register_buffer(name, tensor_of(array), persistent=False))

    def submodule(self, module: Any) -> str:
        """The name of a part that behaves otherwise in training; it holds nothing."""
        return self._own("mode", lambda name: self.module.add_module(name, module), read=False)

    def _own(self, stem: str, register: Callable[[str], None], read: bool = True) -> Node:
        number = 0
        while hasattr(self.module, name := f"_{stem}_{number}"):
            number += 1
        register(name)
        return self.fx.get_attr(name) if read else name

    # -- nodes ------------------------------------------------------------------------------------------------------

    def begin(self, layer: Layer) -> None:
        """Name the nodes that follow after `layer`."""
        self._stem = identifier(layer.name)

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Node:
        """A call of a function of PyTorch."""
        return self.fx.create_node("call_function", function, arguments, named, name=self._stem or None)

    def mode(self, module: Any, *arguments: Any) -> Node:
        """A call of a part that behaves otherwise in training."""
        return self.fx.create_node("call_module", self.submodule(module), arguments, {}, name=self._stem or None)

    def dtype(self, name: str) -> Any:
        """PyTorch's element type."""
        return DTYPES[name]

    def refuse(self, layer: Layer, error: OpError) -> None:
        """Remember that a layer has no counterpart."""
        span = layer.origin.span
        labels = (Label(span, error.remark),) if span else ()
        self.problems.append(Diagnostic(error.code, f"layer `{layer.name}` ({layer.op.name}): {error.message}", labels, help=error.help))
