"""Small ONNX models, as bytes in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

X = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> NodeProto:
    """A node; `inputs` and `outputs` are names between spaces, `-` is an absent one."""
    read, made = (["" if n == "-" else n for n in names.split()] for names in (inputs, outputs))
    return helper.make_node(operator, read, made, **attributes)


def model(*nodes: NodeProto, inputs: Sequence[Any] = (X,), outputs: Sequence[str] = ("y",), opset: int = 17, **weights: Any) -> ModelProto:
    """A model of these nodes; `weights` are arrays, or tensors as they are."""
    tensors = [w if isinstance(w, TensorProto) else numpy_helper.from_array(np.asarray(w), name) for name, w in weights.items()]
    results = [helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = helper.make_graph(list(nodes), "n", list(inputs), results, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def external(name: str, dims: Sequence[int], entries: Mapping[str, str]) -> TensorProto:
    """A tensor whose data lie in a file."""
    tensor = TensorProto(name=name, dims=dims, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def saved(folder: Path, content: ModelProto | bytes, name: str = "n.onnx") -> Path:
    """The file."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    return path
