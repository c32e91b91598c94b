"""Which function reads which operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from .context import Context
    from .node import Node, Operand

    Reader = Callable[[Node, Context], Operand | Sequence[Operand]]

F = TypeVar("F", bound="Reader")
_READERS: dict[tuple[str, str], Reader] = {}


class Unreadable(Exception):
    """A node means something that the IR cannot say; it is written out as other nodes, or kept word for word.

    `needs` are names of values that would have to be known when the model is read.
    """

    def __init__(self, reason: str, needs: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.needs = tuple(needs)


def reads(*operators: str, domain: str = "") -> Callable[[F], F]:
    """Register a function for operators of a domain: (node, context) -> the node's outputs."""

    def register(function: F) -> F:
        _READERS.update({(domain, operator): function for operator in operators})
        return function

    return register


def readers() -> Mapping[tuple[str, str], Reader]:
    """Domain and operator -> function, of every file in `ops`."""
    from . import ops  # the files import this one

    ops.load()
    return _READERS
