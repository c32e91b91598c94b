"""Random networks for hypothesis, over whatever ops are registered."""

from __future__ import annotations

from .expressions import expressions
from .fields import attributes
from .graphs import graphs
from .kinds import ANY_AXES, EVALUATED, EVERY_OP
from .types import types
from .words import NAMES

__all__ = ["ANY_AXES", "EVALUATED", "EVERY_OP", "NAMES", "attributes", "expressions", "graphs", "types"]
