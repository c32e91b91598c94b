"""Every float32 input of every library function and every activation that calls one: `make sweep`, half an hour on two cores.

What is found goes to the user's own cache, or where CNNIR_CACHE says, so that proofs cite it from then on.
"""

from __future__ import annotations

import os

import pytest

from cnnir.analysis.derive import derive
from cnnir.backends.tvm.sweep.cache import Cache
from cnnir.backends.tvm.targets import TargetSpec
from cnnir.cli import run_command
from cnnir.cli.formulas import read
from cnnir.diagnostics import CnnirError
from cnnir.facts.fact import Grade, identity
from cnnir.facts.interval import Interval
from cnnir.facts.precision import precision
from cnnir.facts.upgrade import library, support, upgraded
from cnnir.ir.text import spell
from cnnir.ops.elementwise import Elementwise
from cnnir.ops.smooth import Gelu

from .cnnir.test_facts_ops import UNARY

pytestmark = pytest.mark.sweep
GIVEN = os.environ.get("CNNIR_CACHE")  # read before a fixture sets it
F32 = precision("f32")


def known(op: Elementwise) -> bool:
    """Whether there is a direction to hold it to on all numbers."""
    try:
        return bool(read(spell(op), "f32", None, None))
    except CnnirError:
        return False


WORTH = [
    op for op in (*UNARY, Gelu("tanh")) if known(op) and (library(op.formula()) or derive(op, [identity(Interval(-8, 8))], {}, F32).grade)
]


@pytest.mark.parametrize("op", WORTH, ids=spell)
def test_every_float32_input(op: Elementwise, monkeypatch: pytest.MonkeyPatch) -> None:
    if GIVEN is None:
        monkeypatch.delenv("CNNIR_CACHE")
    else:
        monkeypatch.setenv("CNNIR_CACHE", GIVEN)
    assert run_command(["sweep", spell(op)]) == 0
    (asked,) = read(spell(op), "f32", None, None)
    domain = Interval(asked.lo, asked.hi).finite(F32)
    fact, here = derive(op, [identity(domain)], {}, F32), Cache(TargetSpec("llvm"))
    swept = here.lookup(asked.expr, "f32", asked.direction, domain)
    assert swept is not None
    judged = upgraded(fact, domain, support(asked.expr, fact, domain, F32, here))
    assert judged.grade is Grade.U or (swept.clean_on(domain) and judged.swept), "a library that breaks its direction is not relied on"
    assert judged.grade is not Grade.U or judged.bound is None or swept.bound >= judged.bound, "nor a bound that does not hold"
    assert fact.grade is not Grade.U or fact.bound is None or swept.bound <= fact.bound
