"""What is said of programs that cannot be read."""

from __future__ import annotations

from cnnir.diagnostics import CnnirError, Diagnostic


def malformed(name: str, what: str) -> CnnirError:
    """A file that is no exported program, or a damaged one."""
    help = "write it again with `torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2')`"
    return CnnirError(Diagnostic("C0860", f"`{name}` is not a PyTorch exported program: {what}", help=help))


def pickled(name: str, what: str) -> CnnirError:
    """A file that only running code from it could read."""
    note = "a pickle is a program: opening one runs whatever its author put there, so cnnir never does"
    help = (
        "if you trust the file, load it with PyTorch, and `torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2')`"
    )
    return CnnirError(Diagnostic("C0861", f"`{name}` {what}", notes=(note,), help=help))
