"""`.pt2` files written by hand, as `torch.export.save` writes them, for tests that need no PyTorch."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Document = dict[str, Any]


def meta(shape: tuple[int, ...], dtype: int = 7) -> Document:
    """The description of a dense tensor."""
    strides = [int(np.prod(shape[i + 1 :])) for i in range(len(shape))]
    ints = [[{"as_int": n} for n in numbers] for numbers in (shape, strides)]
    return {"dtype": dtype, "sizes": ints[0], "strides": ints[1], "storage_offset": {"as_int": 0}, "requires_grad": False}


def tensor(name: str) -> Document:
    return {"as_tensor": {"name": name}}


def node(target: str, name: str, path: str = "", **arguments: Document) -> Document:
    inputs = [{"name": argument, "arg": value, "kind": 1} for argument, value in arguments.items()]
    metadata = {"nn_module_stack": f"L__self__,,net.Net;m,{path},torch.nn.modules.{path.title()}"} if path else {}
    return {"target": f"torch.ops.aten.{target}", "name": name, "inputs": inputs, "outputs": [tensor(name)], "metadata": metadata}


WEIGHT = np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3) / 54


def document() -> Document:
    """conv -> relu -> maxpool, f32[1, 3, 8, 8] -> f32[1, 2, 4, 4]."""
    ints: Callable[..., Document] = lambda *numbers: {"as_ints": list(numbers)}  # noqa: E731
    nodes = [
        node("conv2d.default", "conv2d", "c", input=tensor("x"), weight=tensor("p_c_weight"), bias={"as_none": True}, stride=ints(1, 1),
             padding=ints(1, 1)),
        node("relu_.default", "relu_", "a", self=tensor("conv2d")),
        node("max_pool2d.default", "max_pool2d", "p", self=tensor("relu_"), kernel_size=ints(2, 2), stride=ints(2, 2)),
    ]  # fmt: skip
    shapes = {"x": (1, 3, 8, 8), "p_c_weight": (2, 3, 3, 3), "conv2d": (1, 2, 8, 8), "relu_": (1, 2, 8, 8), "max_pool2d": (1, 2, 4, 4)}
    specs = [{"parameter": {"arg": {"name": "p_c_weight"}, "parameter_name": "c.weight"}}, {"user_input": {"arg": tensor("x")}}]
    return {
        "schema_version": {"major": 8, "minor": 20},
        "graph_module": {
            "graph": {"nodes": nodes, "tensor_values": {name: meta(shape) for name, shape in shapes.items()}},
            "signature": {"input_specs": specs, "output_specs": [{"user_output": {"arg": tensor("max_pool2d")}}]},
        },
    }


def weights(**changes: Any) -> Document:
    """The list of the archive's weights."""
    return {
        "config": {
            "c.weight": {"path_name": "weight_0", "is_param": True, "use_pickle": False, "tensor_meta": meta((2, 3, 3, 3)), **changes}
        }
    }


def write(
    path: Path, model: Document | None = None, listed: Document | None = None, content: bytes = WEIGHT.tobytes(),
    more: Mapping[str, bytes] | None = None, compression: int = zipfile.ZIP_STORED,
) -> Path:  # fmt: skip
    """The archive, sound unless some part of it is given."""
    files = {
        "data/weights/model_weights_config.json": json.dumps(listed or weights()).encode(),
        "data/weights/weight_0": content,
        "data/constants/model_constants_config.json": b'{"config": {}}',
        "models/model.json": json.dumps(model or document()).encode(),
        **(more or {}),
    }
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, value in files.items():
            archive.writestr(f"model/{name}", value)
    return path
