"""What every rule writes into: the statements of one Relay function, its arguments, and the arrays behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Union

import numpy as np

from cnnir.diagnostics import OpError
from cnnir.ir.graph import Graph, Layer, Value
from cnnir.types import TensorType, numpy_dtype

Array = np.ndarray[Any, Any]
Attribute = Union[int, float, bool, str, Sequence["Attribute"]]  # noqa: UP007 - a name in quotes has no `|`
VERSION = '#[version = "0.0.5"]'
_KEPT = ("f16", "f32", "f64", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "bool")


def relay_type(t: TensorType) -> str:
    """A type as Relay writes it: `Tensor[(1, 3, 224, 224), float32]`, or `float32` where there are no axes."""
    if t.dtype not in _KEPT:
        raise OpError("C0720", f"Relay's text has no {t.dtype}")
    name = numpy_dtype(t.dtype).name
    return f"Tensor[({', '.join(map(str, t.shape))}), {name}]" if t.shape else name


def attribute(value: Attribute) -> str:
    """An attribute as Relay writes it: `[1, 1]`, `True`, `"float32"`, `0.75f`."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return real(value)
    return f"[{', '.join(map(attribute, value))}]"


def real(value: float) -> str:
    """A number of float32, in as few digits as say which: `0.1f`."""
    with np.errstate(over="ignore"):
        return f"{str(np.float32(value)).removesuffix('.0')}f"


class Writer:
    """Collects the statements of one function. Names of arguments are those of inputs and weights, made safe."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.values: dict[Value, str] = {}
        self.parameters: dict[str, Callable[[], Array]] = {}
        """Argument -> its numbers, for every argument that is no input of the network."""
        self._arguments: dict[str, str] = {}
        self._lines: list[str] = []
        self._shared: dict[object, str] = {}

    # -- arguments ----------------------------------------------------------------------------------------------------

    def argument(self, name: str, t: TensorType) -> str:
        """A new argument of a type: the name, of which only letters, digits and `_` are kept, with a number where it is taken."""
        stem = re.sub(r"[^A-Za-z0-9_]", "_", name)[:200]
        stem = stem if stem[:1].isalpha() else f"v_{stem}"
        free, number = stem, 1
        while free in self._arguments:
            number += 1
            free = f"{stem}_{number}"
        self._arguments[free] = relay_type(t)
        return f"%{free}"

    def weight(self, layer: Layer, role: str, shape: tuple[int, ...] | None = None) -> str:
        """The argument for a layer's weight in a role, perhaps in another shape; weights that are shared stay shared."""
        weights, key, dtype = self.graph.weights, dict(layer.weights)[role], layer.type.dtype
        target = weights.shape(key) if shape is None else shape
        if (key, target) not in self._shared:
            self._shared[key, target] = self.array(key, TensorType(dtype, target), lambda: np.reshape(weights[key], target))
        return self._shared[key, target]

    def array(self, name: str, t: TensorType, numbers: Callable[[], Array]) -> str:
        """An argument for numbers that are worked out when they are asked for."""
        found = self.argument(name, t)
        self.parameters[found[1:]] = lambda: np.ascontiguousarray(numbers(), numpy_dtype(t.dtype))
        return found

    def scalar(self, value: float, dtype: str) -> str:
        """A number of a dtype; Relay writes float32 and int32, and casts them. Raises OpError where these do not hold it."""
        whole = dtype.startswith(("i", "u"))
        if dtype == "f32":
            return real(value)
        with np.errstate(over="ignore"):
            held = np.float32(value) == value if not whole else -(2**31) <= value < 2**31
        if not held and dtype != "f16":
            raise OpError("C0720", f"Relay's text cannot hold the number {value!r} in {dtype}")
        text = str(int(value)) if whole else real(value)
        return text if dtype == "i32" else f'cast({text}, dtype="{numpy_dtype(dtype).name}")'

    # -- statements ---------------------------------------------------------------------------------------------------

    def call(self, operator: str, arguments: Sequence[str], t: TensorType | Sequence[TensorType], /, **attributes: Attribute) -> str:
        """A statement: an operator on values, and what it gives, which stands behind it as Relay's printer has it."""
        inside = ", ".join([*arguments, *(f"{name}={attribute(value)}" for name, value in attributes.items())])
        return self._statement(f"{operator}({inside})", t)

    def tuple(self, values: Sequence[str], types: Sequence[TensorType]) -> str:
        """Several values as one."""
        return self._statement(f"({', '.join(values)}{',' * (len(values) == 1)})", types)

    def _statement(self, text: str, t: TensorType | Sequence[TensorType]) -> str:
        kind = relay_type(t) if isinstance(t, TensorType) else _together([relay_type(each) for each in t])
        self._lines.append(f"  %{len(self._lines)} = {text} /* ty={kind} */;")
        return f"%{len(self._lines) - 1}"

    def text(self) -> str:
        """The whole function."""
        arguments = ", ".join(f"%{name}: {kind}" for name, kind in self._arguments.items())
        values = [self.values[value] for value in self.graph.results.values()]
        types = [relay_type(t) for t in self.graph.outputs.values()]
        one = len(values) == 1
        result, kind = (values[0], types[0]) if one else (f"({', '.join(values)})", _together(types))
        return "\n".join([VERSION, f"def @main({arguments}) -> {kind} {{", *self._lines, f"  {result}", "}", ""])


def _together(types: Sequence[str]) -> str:
    return f"({', '.join(types)}{',' * (len(types) == 1)})"
