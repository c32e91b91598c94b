"""ModelProto -> Graph: node by node, producers first, everything wrong gathered on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, ValueInfoProto

from cnnir.diagnostics import CnnirError, OpError, Origin, Span
from cnnir.ir.graph import Graph, Value
from cnnir.ir.subgraphs import captured
from cnnir.types import TensorType

from .context import Builder, Context
from .elements import NARROW
from .fold import fold
from .inputs import Inputs, Shapes, static_type
from .node import Known, Node, Operand
from .problems import Listing, Problems, refuse
from .record import Recorder
from .registry import Unreadable, readers
from .screen import check_depth, ordered
from .tensors import Place, read
from .unknown import function_body, kind, opaque, output_types, schema_of

OLDEST = 7
SOFT = frozenset({"C0205", "C0202", "C0208"})
"""Refusals of ops that only say that the IR cannot compute this; the rest says that the model is wrong."""
DEEPEST = 40
"""Functions in functions at most."""


@dataclass
class Scope:
    """Where names are looked up: the model, a function's body, or a branch that is taken."""

    names: dict[str, Operand | None]
    opsets: Mapping[str, int]
    prefix: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    attributes: Mapping[str, AttributeProto] = field(default_factory=dict[str, AttributeProto])
    span: Span | None = None
    depth: int = 0
    whole: bool = False
    """Whether every node must be understood, or none of it is used."""

    def layer(self, name: str) -> str:
        """What the layer is called that makes a value."""
        return name and (self.renamed.get(name) or self.prefix + name)


class Importer:
    """One model on its way into a graph."""

    def __init__(self, model: ModelProto, place: Place, name: str, shapes: Shapes | None) -> None:
        self._model, self._place = model, place
        self._problems = Problems()
        self._shapes = shapes or {}
        self._listing = Listing(name, _lines(model))
        self._name = name
        self._readers = readers()
        self._declared: dict[str, TensorType | None] = {}

    def graph(self) -> Graph:
        """The network; raises CnnirError with everything found wrong."""
        opsets = self._opsets()
        check_depth(self._model.graph, self._head)
        proto = self._model.graph
        if not proto.output:
            raise refuse("C0303", "the model has no output", self._head)
        first = 1 + len(_given(proto))
        spans = [self._listing.span(first + k) for k in range(len(proto.node))]
        order = ordered(proto, (), spans)
        self._declared = {info.name: static_type(info.type) for info in (*proto.value_info, *proto.output)}
        scope = Scope({}, opsets)
        graph = Graph(proto.name or Path(self._name).stem)
        reserved = {name for node in proto.node for name in node.output} | {i.name for i in proto.input}
        self._builder = Builder(graph, reserved)
        self._initializers(proto, scope, self._place)
        self._inputs(proto, scope)
        recorder = Recorder(self._builder)
        for number in order:
            mark = self._builder.mark()
            self._node(proto.node[number], scope, spans[number])
            recorder.node(number, proto.node[number], self._builder.since(mark))
        self._problems.finish()
        for output in proto.output:
            operand = scope.names[output.name]
            assert operand is not None
            origin = Origin(self._head)
            graph.results[output.name] = self._builder.constant(operand, origin) if isinstance(operand, Known) else operand
        graph.provenance = recorder.provenance(self._model, scope.names, self._place, self._head)
        return graph

    @property
    def _head(self) -> Span:
        return self._listing.span(0)

    def _opsets(self) -> dict[str, int]:
        newest = onnx.defs.onnx_opset_version()
        found = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in self._model.opset_import}
        version = found.get("", 0 if self._model.graph.node and not found else newest)
        if not 1 <= version <= newest:
            help = "onnx.version_converter.convert_version writes a model in another version"
            raise refuse("C0806", f"opset {version} is not one of {OLDEST} to {newest}", self._head, help=help)
        return {"": version, **found}

    def _initializers(self, proto: GraphProto, scope: Scope, place: Place) -> None:
        for tensor in proto.initializer:
            try:
                scope.names[tensor.name] = read(tensor, place, scope.span or self._head)
            except CnnirError as error:
                self._problems.add(error)
                scope.names[tensor.name] = None
        for sparse in proto.sparse_initializer:
            self._problems.add(refuse("C0812", f"tensor `{sparse.values.name}` is sparse, which has no type here", self._head))
            scope.names[sparse.values.name] = None

    def _inputs(self, proto: GraphProto, scope: Scope) -> None:
        declared = [(info, self._listing.span(1 + k)) for k, info in enumerate(_given(proto))]
        types = Inputs(self._shapes, self._problems).types(declared)
        for info, span in declared:
            t = types.get(info.name)
            value = None if t is None else self._builder.graph.add_input(info.name, t, origin=Origin(span))
            scope.names[info.name] = value
            if value is not None and info.type.tensor_type.elem_type in NARROW:
                self._builder.narrow[value] = info.type.tensor_type.elem_type

    # -- nodes

    def _node(self, proto: NodeProto, scope: Scope, span: Span) -> None:
        """Read a node and put its outputs into the scope; None for those of a node that is wrong."""
        outputs = list(proto.output)
        try:
            results: Sequence[Operand | None] = self._outputs(proto, scope, span)
        except CnnirError as error:
            self._problems.add(error)
            results = [None] * len(outputs)
        missing = [name for name, result in zip(outputs, [*results, *[None] * len(outputs)], strict=False) if name and result is None]
        if missing and len(results) < len(outputs):
            self._problems.add(refuse("C0811", f"`{proto.op_type}` has no output for `{missing[0]}`", span))
        scope.names.update(zip(outputs, [*results, *[None] * len(outputs)], strict=False))

    def _outputs(self, proto: NodeProto, scope: Scope, span: Span) -> Sequence[Operand | None]:
        self._check_operator(proto, scope, span)
        names = [*proto.input, *(captured(proto) if proto.op_type != "If" else ())]
        if any(name and scope.names[name] is None for name in names):
            return [None] * len(proto.output)  # said already, where it went wrong
        node = self._view(proto, scope, span)
        if proto.op_type == "If" and proto.domain in ("", "ai.onnx") and isinstance(node.input(0), Known):
            return self._branch(node, scope)
        folded = fold(node)
        if folded is not None:
            return folded
        try:
            return self._read(node, scope)
        except Unreadable as error:
            if scope.whole:
                raise
            return self._keep(node, scope, error)

    def _view(self, proto: NodeProto, scope: Scope, span: Span) -> Node:
        domain = "" if proto.domain == "ai.onnx" else proto.domain
        opset = scope.opsets[domain]
        schema = schema_of(proto.op_type, domain, opset)
        attributes: dict[str, AttributeProto] = {}
        for attribute in proto.attribute:
            bound = scope.attributes.get(attribute.ref_attr_name) if attribute.ref_attr_name else attribute
            if bound is not None:
                attributes[attribute.name] = _called(bound, attribute.name)
        inputs = [scope.names[name] if name else None for name in proto.input]
        version = schema.since_version if schema else opset
        return Node(proto, inputs, [scope.layer(n) for n in proto.output], span, version, opset, attributes)

    def _check_operator(self, proto: NodeProto, scope: Scope, span: Span) -> None:
        """Operators exist in their opset; those of old ones are read where they mean the same as in the oldest that we know."""
        domain = "" if proto.domain == "ai.onnx" else proto.domain
        if domain not in scope.opsets:
            raise refuse("C0807", f"the model imports no operators of the domain `{domain}`", span, help="opset_import names every domain")
        opset = scope.opsets[domain]
        schema = schema_of(proto.op_type, domain, opset)
        if domain:
            return
        if schema is None:
            raise refuse("C0807", f"ONNX has no operator `{proto.op_type}` in opset {opset}", span)
        if opset >= OLDEST:
            return
        since = schema_of(proto.op_type, "", OLDEST)
        if since is None or since.since_version != schema.since_version:
            help = f"opsets {OLDEST} to {onnx.defs.onnx_opset_version()} are read; onnx.version_converter writes a model in another"
            raise refuse("C0806", f"`{proto.op_type}` of opset {opset} is not what it is in opset {OLDEST}", span, help=help)

    def _read(self, node: Node, scope: Scope) -> Sequence[Operand]:
        """By its reader, or by the function that it stands for; raises Unreadable."""
        domain = "" if node.proto.domain == "ai.onnx" else node.proto.domain
        reader = self._readers.get((domain, node.op))
        failure = Unreadable(f"no layer means what {kind(node.op, node.proto.domain)} means")
        if reader is not None:
            context = Context(self._builder, node)
            try:
                results = reader(node, context)
                return context.commit([results] if isinstance(results, Value | Known) else list(results), Origin(node.span))
            except Unreadable as error:
                failure = error
            except OpError as error:
                if error.code not in SOFT:
                    raise refuse(error.code, f"{node.title}: {error.message}", node.span, help=error.help, remark=error.remark) from None
                failure = Unreadable(error.message)
        body = function_body(node, self._types(node)) if scope.depth < DEEPEST else None
        if body is None:
            raise failure
        try:
            return self._function(node, body, scope)
        except Unreadable as error:
            outer = dict(zip(body.input, node.proto.input, strict=False))
            needs = [outer[name] for name in error.needs if name in outer] or self._whole_inputs(node)
            raise failure if failure.needs else Unreadable(error.reason, needs) from None

    def _whole_inputs(self, node: Node) -> list[str]:
        """The computed inputs of whole numbers: what a function wants to know is among them."""
        named = zip(node.proto.input, node.inputs, strict=True)
        return [name for name, v in named if isinstance(v, Value) and self._builder.graph.type(v).is_whole]

    def _types(self, node: Node) -> list[TensorType | None]:
        return [None if v is None else v.type if isinstance(v, Known) else self._builder.graph.type(v) for v in node.inputs]

    def _function(self, node: Node, body: FunctionProto, scope: Scope) -> Sequence[Operand]:
        """The nodes of a function in a node's place; raises Unreadable, with nothing changed, where one is not understood."""
        given = [*node.inputs, *[None] * len(body.input)]
        names: dict[str, Operand | None] = dict(zip(body.input, given, strict=False))
        absent = {name for name, operand in names.items() if operand is None}
        bound = _defaults(node) | {default.name: default for default in body.attribute_proto} | dict(node.attributes)
        first = next(filter(None, node.outputs), "")
        opsets = {o.domain: o.version for o in body.opset_import} or dict(scope.opsets)
        renamed = {inner: outer for inner, outer in zip(body.output, node.outputs, strict=False) if outer}
        inner = Scope(names, opsets, f"{first}/", renamed, bound, node.span, scope.depth + 1, True)
        mark = self._builder.mark()
        try:
            self._body(body.node, inner, absent)
        except (Unreadable, CnnirError) as error:
            self._builder.rollback(mark)
            raise error if isinstance(error, Unreadable) else Unreadable(error.diagnostics[0].message) from None
        results = [inner.names.get(name) for name in body.output]
        found = [r for r in results if r is not None]
        if len(found) < len(results[: len(node.outputs)]):
            raise Unreadable("its function has fewer outputs")
        return found

    def _body(self, nodes: Iterable[NodeProto], scope: Scope, absent: set[str]) -> None:
        assert scope.span is not None
        for proto in nodes:
            if absent & set(proto.input):
                copied = NodeProto()
                copied.CopyFrom(proto)
                copied.input[:] = ["" if name in absent else name for name in proto.input]
                proto = copied  # noqa: PLW2901 - the same node, with inputs left out
            results = self._outputs(proto, scope, scope.span)
            scope.names.update(zip(proto.output, results, strict=False))

    def _branch(self, node: Node, scope: Scope) -> Sequence[Operand | None]:
        """The nodes of the branch that a known condition takes."""
        condition = node.data(0)
        assert isinstance(condition, Known)
        taken = node.attributes.get("then_branch" if bool(condition.array().any()) else "else_branch")
        if taken is None:
            raise refuse("C0811", f"{node.title} has a branch only", node.span)
        graph = taken.g
        first = next(filter(None, node.outputs), "if")
        renamed = {inner.name: outer for inner, outer in zip(graph.output, node.outputs, strict=False) if outer}
        inner = Scope(dict(scope.names), scope.opsets, f"{first}/", renamed, scope.attributes, node.span, scope.depth + 1, scope.whole)
        order = ordered(graph, scope.names.keys(), [node.span] * len(graph.node))
        self._initializers(graph, inner, Place(self._place.file, {}))  # what stayed in the file are the model's own, by name
        for number in order:
            results = self._outputs(graph.node[number], inner, node.span)
            inner.names.update(zip(graph.node[number].output, results, strict=False))
        return [inner.names[o.name] for o in graph.output]

    def _keep(self, node: Node, scope: Scope, why: Unreadable) -> Sequence[Operand]:
        """The node as an opaque layer."""
        captures = captured(node.proto)
        outer = [scope.names[name] for name in captures]
        operands = [*node.inputs, *outer]
        origin = Origin(node.span)
        values = [self._builder.constant(v, origin) if isinstance(v, Known) else v for v in operands]
        extra = [(name, self._builder.graph.type(v)) for name, v in zip(captures, values[len(node.inputs) :], strict=True) if v is not None]
        asked = [k for k, name in enumerate(node.outputs) if name]
        declared = [self._declared.get(name) for name in node.proto.output]
        try:
            types = output_types(node, self._types(node), declared, extra)
        except Unreadable as error:
            help = f"{why.reason}, and {error.reason}"
            raise refuse("C0808", f"{node.title} cannot be kept: {error.reason}", node.span, note=why.reason if help else "") from None
        op = opaque(node, types, why.reason, why.needs, captures)
        first = self._builder.add(op, values, self._builder.name_of(node.outputs[asked[0]]), {}, origin)
        return [Value(first.layer, slot) for slot in range(len(types))]


def _called(attribute: AttributeProto, name: str) -> AttributeProto:
    """An attribute under another name."""
    if attribute.name == name:
        return attribute
    copied = AttributeProto()
    copied.CopyFrom(attribute)
    copied.name = name
    return copied


def _defaults(node: Node) -> dict[str, AttributeProto]:
    """The attributes of an operator that need not be written."""
    schema = schema_of(node.op, node.proto.domain, node.opset)
    if schema is None:
        return {}
    return {name: a.default_value for name, a in schema.attributes.items() if a.default_value.name}


def _given(graph: GraphProto) -> list[ValueInfoProto]:
    """The inputs that are none of the initializers, which older models list among them."""
    known = {t.name for t in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    return [info for info in graph.input if info.name not in known]


def _lines(model: ModelProto) -> list[str]:
    """The model as diagnostics show it."""
    opsets = ", ".join(f"{o.domain or 'ai.onnx'} {o.version}" for o in model.opset_import)
    made = f" by {model.producer_name} {model.producer_version}".rstrip() if model.producer_name else ""
    return [f"ONNX model{made}: {opsets or 'no opset'}", *(f"input {i.name}" for i in _given(model.graph)), *map(_line, model.graph.node)]


def _line(node: NodeProto) -> str:
    inputs, outputs = (", ".join(list(names)[:8]) + (", ..." if len(names) > 8 else "") for names in (node.input, node.output))
    text = f"{outputs} = {node.op_type}({inputs})"
    return f"{text}  # {node.name}" if node.name else text
