"""Signals as exceptions, so that what is half done is taken back before the process ends."""

from __future__ import annotations

import signal
from types import FrameType

_received: list[int] = []


class Ended(BaseException):
    """The process was asked to end."""


def catch() -> None:
    """Turn SIGTERM and SIGHUP into `Ended` and note every interrupt; what the parent ignores stays ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    _received.append(number)
    raise KeyboardInterrupt if number == signal.SIGINT else Ended


def exit_code() -> int | None:
    """128 and the signal that came first, as shells have it; None where none came.

    Asked for after any exception: one that is raised below a C++ frame may arrive as another.
    """
    return 128 + _received[0] if _received else None
