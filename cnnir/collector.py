"""The cyclic garbage collector, while something large and lasting is built."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def paused() -> Generator[None, None, None]:
    """No search for garbage cycles inside.

    A network is millions of small objects that stay. Python goes through all of them again each time they have grown by a
    quarter, and finds next to nothing: that was a third of the time of parsing, placing and printing 100,000 layers.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
