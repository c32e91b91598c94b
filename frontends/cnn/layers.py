"""One call of a chain -> one layer of the graph, with its name and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cnnir.diagnostics import CnnirError, Label, OpError, Origin, Span
from cnnir.ir.graph import Graph, Value, absent_slots
from cnnir.ir.weights import Seeded, WeightSource
from cnnir.ops.arithmetic import Binary
from cnnir.ops.base import Op, Parameter
from cnnir.ops.convolution import Conv
from cnnir.ops.registry import OPS
from cnnir.types import TensorType

from . import ast
from .arguments import Given, bind, match
from .definitions import RESERVED, Definitions
from .listed import Listed
from .numbers import Text, Word
from .opaque import opaque_op
from .problems import alike, refuse, refused_by_op
from .scope import Scope
from .screen import MAX_LAYERS
from .stored import StoredWeights

SUGAR = frozenset({"depthwise"})


class Layers:
    """Adds layers to a graph."""

    def __init__(self, graph: Graph, found: Definitions, stored: StoredWeights | None, listed: Listed | None = None) -> None:
        self.graph = graph
        self._listed = listed
        self._found = found
        self._stored = stored
        self._count = 0
        self._weight_places: dict[str, Span] = {}

    def knows(self, name: str) -> bool:
        """Whether a call of this name makes a layer."""
        return (name in OPS and name not in RESERVED) or name in self._found.activations or name in SUGAR

    def unknown(self, node: ast.Call) -> CnnirError:
        """The refusal of a name that no layer has."""
        known = {*OPS, *self._found.activations, *self._found.blocks, *SUGAR} - set(RESERVED)
        return refuse("C0211", f"there is no layer `{node.name.text}`", node.name.span, help=alike(node.name.text, known))

    def add(
        self, node: ast.Call, inputs: Sequence[Value | None], given: Sequence[Given], scope: Scope, number_first: bool
    ) -> tuple[Value, ...]:
        """The outputs of a new layer; raises CnnirError with the layer's place where it cannot be. None is an absent input."""
        name = node.name.text
        stranger = next((g for g in given if not g.key and isinstance(g.value, Word | Text)), None)
        if stranger is not None and name in OPS and OPS[name].inputs[1] > 1:  # a tensor was meant: these take no words
            raise refuse(
                "C0305", f"there is no value called `{stranger.value}`", stranger.span, help=alike(str(stranger.value), scope.values)
            )
        texts = {g.key: g for g in given if g.key and isinstance(g.value, Text)}
        types = [self.graph.type(v) for v in inputs if v is not None]
        plain = [g for g in given if g.key not in texts]
        try:
            op = self._op(node, types, plain, tuple(texts), number_first)
        except OpError as error:
            raise refused_by_op(error, node.span, self.graph, ()) from None
        except CnnirError as error:
            raise self._explained(error, node, types, plain) from None
        return self._place(op, node, inputs, texts, scope)

    def add_opaque(self, node: ast.OpaqueStep, inputs: Sequence[Value | None], given: Sequence[Given], scope: Scope) -> tuple[Value, ...]:
        """The outputs of a new opaque node."""
        texts = {g.key: g for g in given if g.key == "name" and not g.quoted}
        try:
            op = opaque_op(node.name.text, [g for g in given if g.key != "name" or g.quoted], node.span)
        except OpError as error:
            raise refused_by_op(error, node.span, self.graph, ()) from None
        return self._place(op, node, inputs, texts, scope)

    def _place(
        self, op: Op, node: ast.Call | ast.OpaqueStep, inputs: Sequence[Value | None], texts: dict[str, Given], scope: Scope
    ) -> tuple[Value, ...]:
        """The op as a layer, typed, with its name and weights."""
        self._count += 1
        if self._count > MAX_LAYERS:
            raise refuse("C0105", f"the network is too large: more than {MAX_LAYERS:,} layers once written out", node.span)
        name, present = node.name.text, [v for v in inputs if v is not None]
        types = [self.graph.type(v) for v in present]
        try:
            op = op.without(absent_slots(inputs))
            op.check_arity(len(present))
            outputs = self.graph.infer(op, types)
        except OpError as error:
            raise refused_by_op(error, node.span, self.graph, present) from None
        if any(t.elements >= 2**63 for t in outputs):
            raise refuse("C0210", "the tensor is too large: its elements do not count in 64 bits", node.span, f"this is {outputs[0]}")
        parameters = op.parameters(types)
        if self._listed and parameters:
            texts = self._listed.texts(name, list(parameters), texts, node.span)
        layer = self._name(name, texts.pop("name", None), scope)
        weights = {role: self._weight(role, parameter, layer, texts, node.span) for role, parameter in parameters.items()}
        stray = next((g for key, g in texts.items() if key not in parameters), None)
        if stray is not None:
            if stray.key in op.attributes():
                help = f"write `{stray.key}={stray.value}`"
                raise refuse("C0214", f"`{stray.key}` is a word without quotes, or a number", stray.span, "this is quoted text", help)
            known = f"it has {', '.join(parameters)}" if parameters else "it has none"
            raise refuse("C0212", f"`{name}` has no weight `{stray.key}`", stray.span, help=alike(stray.key, parameters) or known)
        self.graph.add(op, inputs, name=layer, weights=weights, origin=Origin(node.span))
        return tuple(self.graph.values(layer))

    def close(self) -> None:
        """Raise CnnirError where weights are listed that no layer has."""
        if self._listed:
            self._listed.close()

    # -- the op -------------------------------------------------------------------------------------------------------

    def _op(self, node: ast.Call, types: Sequence[TensorType], given: Sequence[Given], roles: Sequence[str], number_first: bool) -> Op:
        name, span = node.name.text, node.span
        if name in self._found.activations:
            match([], name, given, span)
            activation = self._found.activations[name]
            if activation is None:
                raise CnnirError(())
            return activation
        if name == "depthwise":
            return _depthwise(types, given, span)
        if name not in OPS or name in RESERVED:
            raise self.unknown(node)
        op = OPS[name]
        if not types and op.inputs[0]:
            raise refuse("C0201", f"`{name}` has no input", span, help=f"write `x -> {span.text if len(span.text) < 60 else name}`")
        values = bind(op, name, given, types[0] if types else None, span, roles)
        return op(**values, **({"reverse": True} if number_first and issubclass(op, Binary) else {}))

    def _explained(self, error: CnnirError, node: ast.Call, types: Sequence[TensorType], given: Sequence[Given]) -> CnnirError:
        """The refusal of an op's arguments, or what it comes from: data written as an argument, a name without its quotes."""
        found = error.diagnostics[0] if error.diagnostics else None
        name = node.name.text
        if found and found.code == "C0213" and sum(a.key is None for a in node.arguments) > sum(not g.key for g in given):
            write = (found.help or "").removeprefix("write `").removesuffix("`")
            return CnnirError(replace(found, help=f"data come through `->`, and arguments are attributes: write `x -> {write}`"))
        stray = next((g for g in given if found and found.code == "C0212" and g.span == found.labels[0].span), None)
        if stray is None:
            return error
        try:
            roles = self._op(node, types, [g for g in given if g is not stray], (), False).parameters(types)
        except (CnnirError, OpError):
            return error
        if stray.key != "name" and stray.key not in roles:
            return error
        what = "the name of a layer" if stray.key == "name" else f"the name of the {stray.key} of `{name}`"
        return refuse(
            "C0214", f"{what} is quoted text", stray.span, help=f'write `{stray.key}="{stray.span.text.partition("=")[2].strip()}"`'
        )

    # -- names and weights --------------------------------------------------------------------------------------------

    def _name(self, op: str, given: Given | None, scope: Scope) -> str:
        if given is None:
            name = scope.next_name(op)
            while name in self.graph or (self._listed and name in self._listed):
                name = scope.next_name(op)
            return name
        name = str(given.value)
        if not name:
            raise refuse("C0306", "the name of a layer is not empty", given.span)
        if name in self.graph:
            raise refuse("C0306", f"a layer called `{name}` exists", given.span)
        return name

    def _weight(self, role: str, parameter: Parameter, layer: str, texts: Mapping[str, Given], span: Span) -> str:
        """The key of a weight, put in the store unless it is shared and there already."""
        key, place = (str(texts[role].value), texts[role].span) if role in texts else (f"{layer}.{role}", span)
        if key in self.graph.weights:
            shape, dtype = self.graph.weights.shape(key), self.graph.weights.dtype(key)
            if (shape, dtype) != (parameter.shape, TensorType(parameter.dtype, ()).numpy):
                first = Label(self._weight_places[key], f"this is {list(shape)}", primary=False)
                message = f"weight `{key}` is {list(shape)} elsewhere, and must be {list(parameter.shape)} here"
                raise refuse("C0304", message, place, "", None, first)
            return key
        source: WeightSource = Seeded(key, parameter) if self._stored is None else self._stored.source(key, parameter, place)
        self.graph.weights[key] = source
        self._weight_places[key] = place
        return key


def _depthwise(types: Sequence[TensorType], given: Sequence[Given], span: Span) -> Conv:
    """`depthwise(kernel, multiplier=1)`: a convolution with one group a channel."""
    if not types:
        raise refuse("C0201", "`depthwise` has no input", span, help="write `x -> depthwise(3)`")
    names = ["kernel", "stride", "pad", "dilation", "bias", "multiplier"]
    found = match(names, "depthwise", given, span, ("name",))
    if "kernel" not in found:
        raise refuse("C0213", "`depthwise` needs `kernel`", span, help="write `depthwise(kernel)`")
    groups = types[0].channels
    multiplier = found.pop("multiplier", Given("multiplier", 1, span))
    if not isinstance(multiplier.value, int) or multiplier.value < 1:
        raise refuse("C0214", "`multiplier` must be a whole number, 1 or more", multiplier.span)
    values = [replace(argument, key=key) for key, argument in found.items()]
    values += [Given("out", groups * multiplier.value, span), Given("groups", groups, span)]
    return Conv(**bind(Conv, "depthwise", values, types[0], span))
