"""Where cnnir keeps on disk what took long to find out and can be found out again."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "CNNIR_CACHE"
"""The environment variable that names another folder."""


def folder(kind: str) -> Path:
    """The folder of one kind of things: in the user's cache, wherever this system has it, or where CNNIR_CACHE says."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given) / kind
    import platformdirs

    return Path(platformdirs.user_cache_dir("cnnir", appauthor=False)) / kind
