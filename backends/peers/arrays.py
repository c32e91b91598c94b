"""Named arrays in an `.npz` file, whatever the names are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays under their names and in their order; names are free strings, which members of a zip are not."""
    with path.open("wb") as file:
        np.savez(file, *arrays.values(), names=np.frombuffer(json.dumps(list(arrays)).encode(), np.uint8))


def read_arrays(path: Path) -> dict[str, Array]:
    """What `write_arrays` wrote."""
    with np.load(path, allow_pickle=False) as file:
        names: list[str] = json.loads(file["names"].tobytes())
        return {name: file[f"arr_{i}"] for i, name in enumerate(names)}
