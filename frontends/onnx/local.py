"""Functions that a model brings along are written out where they are called."""

from __future__ import annotations

from onnx import ModelProto

from .problems import refuse


def inlined(model: ModelProto) -> ModelProto:
    """The model without functions of its own; raises CnnirError where they call themselves."""
    if not model.functions:
        return model
    from onnx.inliner import inline_local_functions

    try:
        return inline_local_functions(model)
    except Exception as error:  # C++ throws what it likes
        raise refuse("C0811", "the model's own functions cannot be written out", note=str(error).splitlines()[0][:200]) from None
