"""What an ONNX model calls its outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def output_names(model: Path) -> list[str]:
    """The names of a model's outputs, in order."""
    import onnx

    reader: Any = onnx
    return [o.name for o in reader.load(str(model), load_external_data=False).graph.output]
