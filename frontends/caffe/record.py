"""A message read by its schema: fields by name, typed, with their defaults and their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cnnir.diagnostics import Source, Span

from .schema.messages import MESSAGES
from .schema.notation import FieldType
from .tree import Message, Scalar
from .values import number

Fields = Mapping[str, FieldType]


class Record:
    """One message. Values are those that the schema check has let pass; a field that is not given has its default.

    Where a file gives a field several times the last one counts, unless it is repeated.
    """

    def __init__(self, source: Source, message: Message, schema: Fields) -> None:
        self.source = source
        self.message = message
        self.schema = schema
        self._given: dict[str, list[Scalar | Message]] = {}
        for field in message.fields:
            self._given.setdefault(field.name, []).extend(field.values)

    def __contains__(self, name: str) -> bool:
        return bool(self._given.get(name))

    @property
    def given(self) -> list[str]:
        """Names of the fields that the file gives."""
        return [name for name, values in self._given.items() if values]

    def span(self, name: str | None = None) -> Span:
        """The place of a field's value, or of the message where the field is not given or none is named."""
        values = self._given.get(name) if name else None
        place = values[-1] if values else self.message
        return Span(self.source, place.start, place.end)

    def scalars(self, name: str) -> list[Scalar]:
        """The values of a field as they are written, with their places."""
        return [value for value in self._given.get(name, ()) if isinstance(value, Scalar)]

    def texts(self, name: str) -> list[str]:
        """Texts or words of a repeated field."""
        return [value.content for value in self.scalars(name)]

    def text(self, name: str) -> str:
        """A text or word; empty where there is neither one nor a default."""
        found = self.texts(name)
        return found[-1] if found else self.schema[name].default or ""

    def reals(self, name: str) -> list[float]:
        """Numbers of a repeated field."""
        return [float(number(value.content)) for value in self.scalars(name)]

    def real(self, name: str) -> float:
        """A number; 0 where there is neither one nor a default."""
        found = self.reals(name)
        return found[-1] if found else float(self.schema[name].default or 0)

    def wholes(self, name: str) -> list[int]:
        """Whole numbers of a repeated field."""
        return [int(number(value.content)) for value in self.scalars(name)]

    def whole(self, name: str) -> int:
        """A whole number; 0 where there is neither one nor a default."""
        found = self.wholes(name)
        return found[-1] if found else int(self.schema[name].default or 0)

    def flag(self, name: str) -> bool:
        """A truth value; false where there is neither one nor a default."""
        return (self.text(name) or "false") in ("true", "True", "t", "1")

    def records(self, name: str) -> Iterator[Record]:
        """The messages of a repeated field."""
        schema = MESSAGES.get(self.schema[name].kind, {})
        return (Record(self.source, value, schema) for value in self._given.get(name, ()) if isinstance(value, Message))

    def record(self, name: str, schema: Fields | None = None) -> Record:
        """A message; an empty one where none is given. `schema` is for fields of which the schema says nothing."""
        found = [value for value in self._given.get(name, ()) if isinstance(value, Message)]
        message = found[-1] if found else Message(self.message.start, self.message.end, ())
        return Record(self.source, message, MESSAGES[self.schema[name].kind] if schema is None else schema)
