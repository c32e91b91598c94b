"""`docs/activations.md`: what is true of every activation under the names users know, computed by the analysis.

python -m cnnir.testing.activations > docs/activations.md
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from dataclasses import dataclass

from cnnir.analysis.derive import derive
from cnnir.facts import describe
from cnnir.facts.fact import Fact, Grade, identity
from cnnir.facts.interval import Interval, unknown
from cnnir.facts.precision import precision
from cnnir.ops import arithmetic, logic, piecewise, smooth
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.registry import OPS
from cnnir.scalar.expr import Param, leaves

F32 = precision("f32")
ANYTHING = unknown(F32)
POSITIVE = Interval(F32.tiny, F32.max)


@dataclass(frozen=True)
class Row:
    """An op with its attributes, the names that it has elsewhere, and where its facts hold."""

    op: Elementwise
    onnx: str = ""
    pytorch: str = ""
    domain: Interval = ANYTHING
    coefficients: tuple[tuple[str, Interval], ...] = ()

    @property
    def spelling(self) -> str:
        """As in a `.cnn` file, roles of coefficients with their ranges."""
        known = [f"{role} in {interval}" for role, interval in self.coefficients]
        first = inspect.signature(type(self.op)).parameters
        values = {name: getattr(self.op, name) for name in first}
        changed = [f"{n}={_number(v)}" for n, v in values.items() if v != first[n].default and n != "reverse"]
        return f"{self.op.name}({', '.join([*changed, *known])})" if changed or known else self.op.name

    def fact(self) -> Fact:
        """Its facts in float32."""
        return derive(self.op, [identity(self.domain)], dict(self.coefficients), F32)


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _of(name: str) -> Elementwise:
    op = OPS[name]()
    assert isinstance(op, Elementwise)
    return op


NAMED: tuple[Row, ...] = (
    Row(piecewise.Relu(), "Relu", "ReLU"),
    Row(piecewise.Relu6(), "", "ReLU6"),
    Row(piecewise.Leaky(), "LeakyRelu", "LeakyReLU"),
    Row(piecewise.Leaky(-0.5), "LeakyRelu", "LeakyReLU"),
    Row(piecewise.Leaky(11 / 48), "", "RReLU (evaluation)"),
    Row(piecewise.PRelu(), "PRelu", "PReLU", coefficients=(("slope", Interval(0.0, 1.0)),)),
    Row(piecewise.PRelu(), "PRelu", "PReLU", coefficients=(("slope", Interval(-1.0, -0.25)),)),
    Row(piecewise.Clip(-1.0, 2.0), "Clip", "clamp"),
    Row(piecewise.HardTanh(), "Clip", "Hardtanh"),
    Row(piecewise.HardSigmoid(0.2, 0.5), "HardSigmoid", ""),
    Row(piecewise.HardSigmoid(), "", "Hardsigmoid"),
    Row(piecewise.HardSwish(), "HardSwish", "Hardswish"),
    Row(piecewise.Threshold(), "ThresholdedRelu", "Threshold"),
    Row(piecewise.Threshold(-1.0), "ThresholdedRelu", "Threshold"),
    Row(piecewise.Shrink(), "Shrink", ""),
    Row(piecewise.Shrink(0.5, 0.75), "Shrink", ""),
    Row(piecewise.HardShrink(), "Shrink", "Hardshrink"),
    Row(piecewise.SoftShrink(), "Shrink", "Softshrink"),
    Row(smooth.Sigmoid(), "Sigmoid", "Sigmoid"),
    Row(smooth.LogSigmoid(), "", "LogSigmoid"),
    Row(smooth.Softplus(), "Softplus", "Softplus"),
    Row(smooth.Softsign(), "Softsign", "Softsign"),
    Row(smooth.TanhShrink(), "", "Tanhshrink"),
    Row(smooth.Elu(), "Elu", "ELU"),
    Row(smooth.Elu(-1.0), "Elu", "ELU"),
    Row(smooth.Selu(), "Selu", "SELU"),
    Row(smooth.Celu(), "Celu", "CELU"),
    Row(smooth.Silu(), "Swish", "SiLU"),
    Row(smooth.Mish(), "Mish", "Mish"),
    Row(smooth.Gelu(), "Gelu", "GELU"),
    Row(smooth.Gelu("tanh"), "Gelu (approximate=tanh)", "GELU (approximate=tanh)"),
    Row(smooth.QuickGelu(), "", "x * sigmoid(1.702 x)"),
    Row(piecewise.Abs(), "Abs", "abs"),
    Row(piecewise.Sign(), "Sign", "sign"),
    Row(arithmetic.Neg(), "Neg", "neg"),
    Row(smooth.Reciprocal(), "Reciprocal", "reciprocal"),
    Row(smooth.Reciprocal(), "Reciprocal", "reciprocal", POSITIVE),
    Row(smooth.Rsqrt(), "", "rsqrt", POSITIVE),
    Row(_of("log"), "Log", "log", POSITIVE),
    Row(_of("log1p"), "", "log1p", Interval(-0.5, F32.max)),
    Row(_of("sqrt"), "Sqrt", "sqrt", Interval(0.0, F32.max)),
    Row(_of("asin"), "Asin", "asin", Interval(-1.0, 1.0)),
    Row(_of("acos"), "Acos", "acos", Interval(-1.0, 1.0)),
    Row(_of("atanh"), "Atanh", "atanh", Interval(-0.5, 0.5)),
    Row(_of("acosh"), "Acosh", "acosh", Interval(1.0, F32.max)),
    Row(_of("tan"), "Tan", "tan", Interval(-1.5, 1.5)),
    Row(_of("cos"), "Cos", "cos", Interval(0.0, 3.0)),
    Row(arithmetic.Bias(), "Add", "", coefficients=(("bias", Interval(-1.0, 1.0)),)),
    Row(arithmetic.Scale(), "Mul", "", coefficients=(("factor", Interval(0.5, 2.0)),)),
    Row(arithmetic.Scale(), "Mul", "", coefficients=(("factor", Interval(-2.0, -0.5)),)),
    Row(
        arithmetic.BatchNorm(), "BatchNormalization", "BatchNorm",
        coefficients=(("multiplier", Interval(0.5, 2.0)), ("shift", Interval(-1.0, 1.0))),
    ),
    Row(
        arithmetic.BatchNorm(), "BatchNormalization", "BatchNorm",
        coefficients=(("multiplier", Interval(-2.0, -0.5)), ("shift", Interval(-1.0, 1.0))),
    ),
    *(Row(c(k)) for c in (arithmetic.Add, arithmetic.Sub) for k in (2.0,)),
    *(Row(c(k)) for c in (arithmetic.Mul, arithmetic.Div) for k in (2.0, -2.0)),
    *(Row(c(2.0)) for c in (arithmetic.Maximum, arithmetic.Minimum)),
)  # fmt: skip
"""Activations with attributes, ranges or coefficients of their own."""

ELSEWHERE = {
    "GLU": "not elementwise: it multiplies one half of the channels by a gate of the other",
    "Softmax, LogSoftmax, Softmin": "not elementwise: every output depends on all elements of an axis",
    "Hardmax": "not elementwise: it marks the largest element of an axis",
    "MultiheadAttention": "not elementwise",
    "Dropout (training)": "random; at inference it is x, up and exact",
}
"""Layers that are called activations and are none here, and why."""

HEAD = """\
# Activations

Computed by the analysis from the formula of each op (`make docs` writes this file), in float32, for every finite number
unless a range is given. *Class* E is exact on every IEEE target, C is exact if the library's functions are monotone, U
re-rounds: `max f(x)` and `f(max x)` differ by at most the bound, whatever the window, if library functions err by no more
than 4 units in the last place. No direction: neither up, down, valley (down, then up) nor peak.

| cnnir | ONNX | PyTorch | on | direction | turning point | range | class | bound |
|---|---|---|---|---|---|---|---|---|
"""


def rows() -> Iterator[Row]:
    """The named ones, then every elementwise op that has no row yet and needs no attributes."""
    yield from NAMED
    seen = {type(row.op) for row in NAMED}
    for op in OPS.values():
        if issubclass(op, Elementwise) and op not in seen and not issubclass(op, arithmetic.Binary | logic.Logic | logic.Where):
            required = [p for p in inspect.signature(op).parameters.values() if p.default is p.empty]
            if not required and not any(isinstance(leaf, Param) for leaf in leaves(op().formula())):
                yield Row(op())


def direction(fact: Fact) -> str:
    """One word of the lattice."""
    known = fact.direction
    words = {"constant": known.is_constant, "up": known.is_up, "down": known.is_down, "monotone": known.is_monotone}
    words |= {"valley": known.valley is not None, "peak": known.peak is not None}
    return next((word for word, holds in words.items() if holds), "none")


def _turning(fact: Fact) -> str:
    turn = fact.direction.valley or fact.direction.peak
    if direction(fact) not in ("valley", "peak") or turn is None or math.isinf(turn.until) or math.isinf(turn.since):
        return ""
    lo, hi = sorted((turn.until, turn.since))
    return f"{lo:.7g}" if lo == hi else f"[{lo:.9g}, {hi:.9g}]"


def _line(row: Row) -> str:
    fact = row.fact()
    grade = fact.grade.name if direction(fact) != "none" else ""
    bound = f"{fact.bound:.1e}" if grade and fact.grade is Grade.U and fact.bound is not None else ""
    on = "" if row.domain == ANYTHING else describe.interval(row.domain)
    cells = [f"`{row.spelling}`", row.onnx, row.pytorch, on, direction(fact), _turning(fact), describe.interval(fact.range), grade, bound]
    return "| " + " | ".join(cells) + " |"


def page() -> str:
    """The whole document."""
    lines = [_line(row) for row in rows()]
    others = [f"- **{name}**: {reason}." for name, reason in ELSEWHERE.items()]
    return HEAD + "\n".join(lines) + "\n\n## No activations here\n\n" + "\n".join(others) + "\n"


if __name__ == "__main__":
    print(page(), end="")
