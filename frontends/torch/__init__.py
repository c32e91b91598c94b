"""PyTorch networks -> Graph: modules, exported programs, and `.pt2` files, which are read without running anything in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnir import collector
from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.ir.graph import Graph

from .cells import Stale

__all__ = ["PICKLED", "load", "load_file"]

PICKLED = (".pt", ".pth", ".ckpt", ".pkl", ".bin")
"""Files that only running code from them could read."""
_IN_PLACE = "writes into a view of a tensor that it reads again under another name"


def load(model: Any, example_inputs: tuple[Any, ...] | None = None, shapes: Mapping[str, Sequence[int]] | None = None) -> Graph:
    """The network of a `torch.nn.Module` on example inputs, or of a `torch.export.ExportedProgram`.

    Modules are exported as they are used (dropout does nothing, batch norm has its running statistics), and left as they
    were. Weights are the tensors' own memory. Raises CnnirError; exit code 3 where PyTorch is missing.
    """
    exported_programs = _pytorch()
    import torch

    name = type(model).__name__
    if isinstance(model, torch.nn.Module):
        if example_inputs is None:
            help = "cnnir.load(model, (torch.randn(1, 3, 224, 224),))"
            raise CnnirError(Diagnostic("C0863", f"`{name}` is exported on example inputs, and none are given", help=help), exit_code=2)
        model = exported_programs.export(model, tuple(example_inputs))
    elif isinstance(model, torch.export.ExportedProgram):
        name = "network"
    else:
        help = "a path, a torch.nn.Module with example inputs, or a torch.export.ExportedProgram"
        raise CnnirError(Diagnostic("C0401", f"cannot load a network from `{name}`", help=help), exit_code=2)
    try:
        return _graph(exported_programs.read(model, name), shapes)
    except Stale:  # without in-place operations, at the price of recognising a little less
        return _graph(exported_programs.read(model.run_decompositions({}), name), shapes)


def load_file(path: str | Path, shapes: Mapping[str, Sequence[int]] | None = None) -> Graph:
    """The network in a `.pt2` file that `torch.export.save` wrote. Needs no PyTorch; raises CnnirError."""
    from .problems import pickled
    from .serialized import read

    where = Path(path)
    if where.suffix in PICKLED:
        raise pickled(str(path), f"is a pickled model (`{where.suffix}`), and is not opened")
    try:
        return _graph(read(where), shapes)
    except Stale:
        help = "write it again as `torch.export.save(exported.run_decompositions({}), 'model.pt2')`"
        raise CnnirError(Diagnostic("C0865", f"`{path}` {_IN_PLACE}", help=help)) from None


def _graph(program: Any, shapes: Mapping[str, Sequence[int]] | None) -> Graph:
    from .importing import build_graph

    with collector.paused():
        return build_graph(program, shapes)


def _pytorch() -> Any:
    try:
        from . import exported
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] != "torch":
            raise
        help = "pip install 'cnnir[torch]'"
        raise CnnirError(Diagnostic("C0864", "reading PyTorch modules needs the package `torch`", help=help), exit_code=3) from error
    return exported
