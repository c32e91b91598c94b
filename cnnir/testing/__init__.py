"""For authors of passes: equivalence on adversarial data, random networks, and textual tests of before and after.

    from cnnir.testing import assert_equivalent, graphs

`graphs` and the other strategies need hypothesis, `cnnir.testing.plugin` needs pytest; the rest needs neither.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data import adversarial, feeds
    from .equivalent import assert_equivalent, bits
    from .strategies import expressions, graphs
    from .textual import outcome

__all__ = ["adversarial", "assert_equivalent", "bits", "expressions", "feeds", "graphs", "outcome"]

_WHERE = {
    **dict.fromkeys(("adversarial", "feeds"), "data"),
    **dict.fromkeys(("assert_equivalent", "bits"), "equivalent"),
    **dict.fromkeys(("expressions", "graphs"), "strategies"),
    "outcome": "textual",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
