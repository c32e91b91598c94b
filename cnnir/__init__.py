"""cnnir: a compiler for convolutional networks that proves which layers may trade places with pooling.

    net  = cnnir.parse("network n(x: f32[1,8,8,8]) { x -> relu -> maxpool(2) }")
    done = cnnir.optimize(net, target="llvm")
    prog = cnnir.compile(done.graph, target="llvm", threads=2)
    outs = prog({"x": array})

Everything is imported when first used: `import cnnir` alone imports neither TVM nor networkx.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnir.api import (
        audit,
        compile,
        dumps,
        emit,
        evaluate,
        export_onnx,
        load,
        load_program,
        optimize,
        parse,
        save,
        to_torch,
        tune,
        verify,
    )
    from cnnir.auditing.report import Audit
    from cnnir.certificates import Certificate
    from cnnir.checker.verification import Verification
    from cnnir.decisions import Decision, Optimized, Site, Witness
    from cnnir.diagnostics import CnnirError, Diagnostic
    from cnnir.ir.graph import Graph
    from cnnir.types import TensorType

_WHERE = {
    **dict.fromkeys(
        (
            "audit",
            "compile",
            "dumps",
            "emit",
            "evaluate",
            "export_onnx",
            "load",
            "load_program",
            "optimize",
            "parse",
            "save",
            "to_torch",
            "tune",
            "verify",
        ),
        "cnnir.api",
    ),
    "Audit": "cnnir.auditing.report",
    "Certificate": "cnnir.certificates",
    "Verification": "cnnir.checker.verification",
    **dict.fromkeys(("Decision", "Optimized", "Site", "Witness"), "cnnir.decisions"),
    **dict.fromkeys(("CnnirError", "Diagnostic"), "cnnir.diagnostics"),
    "Graph": "cnnir.ir.graph",
    "TensorType": "cnnir.types",
}

__all__ = [  # noqa: RUF022 - functions first, as people look for them
    "audit", "compile", "dumps", "emit", "evaluate", "export_onnx", "load", "load_program", "optimize", "parse", "save", "to_torch",
    "tune", "verify",
    "Audit", "Certificate", "CnnirError", "Decision", "Diagnostic", "Graph", "Optimized", "Site", "TensorType", "Verification", "Witness",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
