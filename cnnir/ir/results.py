"""The outputs of a network: name -> value in the order they are returned, and back, in constant time either way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .graph import Value


class Results(MutableMapping[str, "Value"]):
    """A dict of outputs that also knows under which names a value goes out: 100,000 outputs are asked as often."""

    def __init__(self, named: Mapping[str, Value] | None = None) -> None:
        self._values: dict[str, Value] = {}
        self._names: dict[Value, dict[str, None]] = {}  # a dict for a set that keeps its order
        self.update(named or {})

    def names(self, value: Value) -> list[str]:
        """The names under which a value is an output; none where it is not."""
        return list(self._names.get(value, ()))

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __setitem__(self, name: str, value: Value) -> None:
        if name in self._values:
            self._forget(name)
        self._values[name] = value
        self._names.setdefault(value, {})[name] = None

    def __delitem__(self, name: str) -> None:
        self._forget(name)
        del self._values[name]

    def _forget(self, name: str) -> None:
        names = self._names[self._values[name]]
        del names[name]
        if not names:
            del self._names[self._values[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Results({self._values!r})"
