"""The memory of a program: PyTorch's operations may change a tensor in place, and several names may look at one memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

VIEWS = frozenset({
    "view", "reshape", "_unsafe_view", "flatten", "unflatten", "select", "slice", "narrow", "split", "split_with_sizes", "chunk",
    "tensor_split", "unbind", "transpose", "permute", "t", "numpy_T", "movedim", "swapaxes", "expand", "expand_as", "squeeze",
    "unsqueeze", "detach", "alias", "contiguous", "to", "_to_copy", "type_as", "view_as", "reshape_as", "diagonal", "unfold",
    "dropout", "feature_dropout", "alpha_dropout", "identity", "positive", "lift_fresh", "lift", "float", "atleast_1d",
})  # fmt: skip
"""Operations whose result may be (a part of) the memory of their first argument."""


class Stale(Exception):
    """A tensor is read whose memory was changed through another view of it."""


@dataclass(eq=False)
class Cell:
    """What one name of the program stands for; a tensor changed in place keeps its cell."""

    content: Any
    sharing: list[Cell] = field(default_factory=list["Cell"])
    """All cells that look at the same memory, itself included."""
    stale: bool = False

    def read(self) -> Any:
        """What it holds; raises Stale."""
        if self.stale:
            raise Stale
        return self.content

    def change(self, content: Any) -> None:
        """Other content, in place."""
        for other in self.sharing:
            other.stale = other is not self
        self.content = content


class Cells:
    """The cells of a program by name."""

    def __init__(self) -> None:
        self._cells: dict[str, Cell] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._cells

    def __getitem__(self, name: str) -> Cell:
        return self._cells[name]

    def bind(self, name: str, content: Any, viewed: Sequence[Cell] = ()) -> None:
        """A new name, which may look at the memory of another's."""
        cell = Cell(content)
        cell.sharing = viewed[0].sharing if viewed else []
        if viewed and viewed[0] not in cell.sharing:
            cell.sharing.append(viewed[0])
        cell.sharing.append(cell)
        self._cells[name] = cell

    def share(self, name: str, cell: Cell) -> None:
        """Another name for a cell."""
        self._cells[name] = cell
