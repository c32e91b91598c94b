"""Networks that nobody here wrote: families of `pytorchcv` with random weights, from PyTorch to a network and back.

python -m cnnir.testing.torch_zoo [NAME ...]
"""

from __future__ import annotations

import sys
import time
import types
import warnings
from typing import Any

import numpy as np

import cnnir
from cnnir.diagnostics import CnnirWarning

FAMILIES = (
    "alexnet", "vgg11", "zfnet", "squeezenet_v1_1", "resnet18", "preresnet18", "resnext26_32x4d", "seresnet10", "densenet121",
    "mobilenet_w1", "mobilenetv2_w1", "mobilenetv3_small_w7d20", "efficientnet_b0", "mnasnet_b1", "shufflenetv2_w1", "ghostnet",
    "inceptionv3", "xception", "hardnet39ds", "vovnet27s", "selecsls42", "dla34", "regnetx002", "peleenet", "darknet_ref", "nin_cifar10",
)  # fmt: skip
CLOSE = 1e-4


def main(names: list[str]) -> int:
    """Print a line for each family; the exit code is 1 where one differs."""
    np.set_printoptions(precision=1)
    return max([_tried(name) for name in names or FAMILIES])


def _tried(name: str) -> int:
    import torch

    torch.manual_seed(0)
    module = _settled(_model(name))
    image = torch.randn(1, 3, *module.in_size)
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        net = cnnir.load(module, (image,))
    seconds = time.perf_counter() - began
    opaque = sum(isinstance(w.message, CnnirWarning) for w in told)
    wanted = module(image).detach().numpy()
    found = cnnir.evaluate(net, {next(iter(net.inputs)): image.numpy()})
    back = cnnir.to_torch(net)
    decisions = cnnir.optimize(net, place="always").decisions
    moved = sum(d.verdict == "moved" for d in decisions)
    there, returned = (_apart(a, wanted) for a in (next(iter(found.values())), back(image).detach().numpy()))
    same = list(back.state_dict()) == list(module.state_dict())
    ok = there < CLOSE and returned < CLOSE and same and not opaque
    print(  # noqa: T201 - this is a program
        f"{name:26} {len(net):4} layers in {seconds:4.1f} s, {moved:2} of {len(decisions):2} sites moved; "
        f"differs by {there:.1e}, brought back by {returned:.1e}{'' if ok else '  <-- wrong'}",
        flush=True,
    )
    return int(not ok)


def _model(name: str) -> Any:
    """A network with random weights. The package imports torchvision for networks that are not asked for here."""
    vision, ops = types.ModuleType("torchvision"), types.ModuleType("torchvision.ops")
    vars(ops).update(DeformConv2d=object, deform_conv2d=None)
    for module in (vision, ops):
        sys.modules.setdefault(module.__name__, module)
    import importlib

    return importlib.import_module("pytorchcv.model_provider").get_model(name, pretrained=False)


def _settled(module: Any) -> Any:
    """With running statistics of real data: by those of a new batch norm the signal dies out on its way."""
    import torch

    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):  # pyright: ignore[reportPrivateUsage] - all ranks have it in common
                part.momentum = 1.0
        module.train()(torch.randn(4, 3, *module.in_size))
    return module.eval()


def _apart(found: Any, wanted: Any) -> float:
    """The greatest difference, as a part of how far the answers spread."""
    return float(np.abs(found - wanted).max() / max(float(np.ptp(wanted)), 1e-30))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
