"""Rules of the grammar -> tree, as the parser finds them: nested messages cost no Python stack."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

from lark import Token

from .tree import Field, Message, Scalar

Children = list[Any]
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|(.))")
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def callbacks() -> Any:
    """What the parser calls when it has found a rule, under the rules' names."""
    return SimpleNamespace(start=_start, field=_field, list=_list, message=_message, text=_text, number=_number, word=_word)


def _start(children: Children) -> Message:
    return Message(0, children[-1].end if children else 0, tuple(children))


def _field(children: Children) -> Field:
    name, value = cast("tuple[Token, Scalar | Message | tuple[Scalar | Message, ...]]", children)
    return Field(_begin(name), _end(name), str(name), value if isinstance(value, tuple) else (value,))


def _list(children: Children) -> tuple[Scalar | Message, ...]:
    return tuple(c for c in children if isinstance(c, Scalar | Message))


def _message(children: Children) -> Message:
    return Message(_begin(children[0]), _end(children[-1]), tuple(children[1:-1]))


def _text(children: Children) -> Scalar:
    return Scalar(_begin(children[0]), _end(children[-1]), "text", "".join(_unquoted(str(part)) for part in children))


def _number(children: Children) -> Scalar:
    return Scalar(_begin(children[0]), _end(children[-1]), "number", "".join(map(str, children)))


def _word(children: Children) -> Scalar:
    return Scalar(_begin(children[0]), _end(children[-1]), "word", "".join(map(str, children)))


def _begin(token: Token) -> int:
    return token.start_pos or 0


def _end(token: Token) -> int:
    return token.end_pos or 0


def _unquoted(text: str) -> str:
    """The characters between quotes; octal and hexadecimal escapes are bytes, of which only ASCII is a character by itself."""

    def character(match: re.Match[str]) -> str:
        octal, hexadecimal, plain = match.groups()
        if plain is not None:
            return _PLAIN.get(plain, plain)
        return chr((int(octal, 8) if octal else int(hexadecimal, 16)) & 0xFF)

    return _ESCAPE.sub(character, text[1:-1])
