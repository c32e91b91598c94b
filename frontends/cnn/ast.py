"""What a `.cnn` file says, as frozen data. Every node knows where it was written."""

from __future__ import annotations

from dataclasses import dataclass, field

from cnnir.diagnostics import Span


@dataclass(frozen=True, slots=True)
class Node:
    """Something written, and where."""

    span: Span = field(repr=False, compare=False)


# -- arithmetic and arguments ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A literal; whole numbers are kept whole."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A word: a value, a size, an op, a choice such as `same`. Quoted ones may hold any character."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Piped(Node):
    """`in`: what was piped into the block."""


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    """`[a, b]`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Negative(Node):
    """`-a`; `signs` counts the minus signs, so that a million of them is not a million levels."""

    signs: int
    operand: Expression


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """`a + b - c` or `a * b / c`, from left to right: `rest` holds (sign, operand)."""

    first: Expression
    rest: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class Argument(Node):
    """A positional argument, or one given by `key`."""

    value: Expression
    key: Name | None = None


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`conv(64, 3)`, or a bare `relu` in a chain."""

    name: Name
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True)
class TypeName(Node):
    """`f32[1, 3, 224, 224]`."""

    dtype: str
    sizes: tuple[Expression, ...]


# -- chains ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Repeat(Node):
    """`[a -> b] * count`."""

    steps: tuple[Step, ...]
    count: Expression | None


@dataclass(frozen=True, slots=True)
class OpaqueStep(Node):
    """`onnx.Op{...}`, in a chain or on its own: tensors, then `outputs=` types and attributes by key."""

    name: Name
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """`head -> step -> step`."""

    head: Expression
    steps: tuple[Step, ...]


Step = Call | Repeat | OpaqueStep
Expression = Number | Name | Piped | Sequence | Negative | Arithmetic | Call | OpaqueStep | TypeName | Chain


# -- statements and items ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Assign(Node):
    """`a = chain`, or `a, b = chain` for a layer of several outputs."""

    targets: tuple[Name, ...]
    value: Expression


@dataclass(frozen=True, slots=True)
class Result(Node):
    """One value of a `return`, under a name of its own where one is given."""

    value: Expression
    name: Name | None


@dataclass(frozen=True, slots=True)
class Return(Node):
    """`return a, b`."""

    results: tuple[Result, ...]


Statement = Assign | Return | Expression


@dataclass(frozen=True, slots=True)
class InputDeclaration(Node):
    """`x: f32[1, 8] in [0, 1]`."""

    name: Name
    type: TypeName
    range: tuple[Expression, Expression] | None


@dataclass(frozen=True, slots=True)
class Block(Node):
    """A named piece of network with sizes as parameters: a chain (`steps`) or statements over `in` (`body`)."""

    name: Name
    parameters: tuple[Name, ...]
    steps: tuple[Step, ...] | None
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Activation(Node):
    """`activation f(x) = expression`."""

    name: Name
    parameters: tuple[Name, ...]
    body: Expression


@dataclass(frozen=True, slots=True)
class WeightsFile(Node):
    """`weights "file.safetensors"`."""

    path: Name


@dataclass(frozen=True, slots=True)
class Entry(Node):
    """`name: key, key`: what a layer is called, and its weights in the order of their roles; `name.role` where no key is given."""

    name: Name
    keys: tuple[Name, ...] | None


@dataclass(frozen=True, slots=True)
class Listing(Node):
    """`weights n { entries }`: the layers of network `n` that have weights, in the order in which it writes them out."""

    name: Name
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class NetworkDeclaration(Node):
    """`network n(inputs) { statements }`."""

    name: Name
    inputs: tuple[InputDeclaration, ...]
    body: tuple[Statement, ...]


Item = Block | Activation | WeightsFile | Listing | NetworkDeclaration


@dataclass(frozen=True, slots=True)
class File(Node):
    """A whole `.cnn` file."""

    items: tuple[Item, ...]
