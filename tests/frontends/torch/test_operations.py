"""Every operation of PyTorch that has a layer means the same, read from a module, from a file, decomposed, and brought back."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cnnir
from cnnir.diagnostics import CnnirError
from cnnir.ir.verify import verify
from cnnir.ops.opaque import Opaque

from .cases import CASES

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings(
        "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore:Using padding='same':UserWarning", "ignore:The tensor attribute"
    ),
]
NO_WAY_BACK = {"convolution: LSTM", "convolution: GRU"}
WRITES = {"function: written through a view"}


def prepared(name: str) -> tuple[Any, tuple[Any, ...]]:
    """The module with statistics other than 0 and 1, and its inputs."""
    module, shapes = CASES[name]
    generator = torch.Generator().manual_seed(0)
    for key, buffer in module.named_buffers():
        if key.endswith(("running_mean", "running_var")):
            buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return module.eval(), tuple(torch.randn(shape, generator=generator) for shape in shapes)


def tuple_of(outputs: Any) -> tuple[Any, ...]:
    return tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)


def check(net: Any, module: Any, inputs: tuple[Any, ...]) -> None:
    """The network by the reference, and brought back, against the module."""
    wanted = tuple_of(module(*[x.clone() for x in inputs]))
    feeds = {name: x.numpy() for name, x in zip(net.inputs, inputs, strict=True)}
    for found, expected in zip(cnnir.evaluate(net, feeds).values(), wanted, strict=True):
        array = expected.detach().numpy()
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        np.testing.assert_allclose(found, array, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", CASES)
def test_a_module_and_its_network_agree(name: str) -> None:
    module, inputs = prepared(name)
    net = cnnir.load(module, inputs)
    verify(net)
    assert not any(isinstance(layer.op, Opaque) for layer in net.layers())
    check(net, module, inputs)


@pytest.mark.parametrize("name", [name for name in CASES if name not in WRITES])
def test_a_file_is_the_network_of_its_program(name: str, tmp_path: Path) -> None:
    module, inputs = prepared(name)
    exported = torch.export.export(module, inputs)
    torch.export.save(exported, tmp_path / "net.pt2")
    net, same = cnnir.load(tmp_path / "net.pt2"), cnnir.load(exported)
    check(net, module, inputs)
    if len(net.outputs) == 1:
        assert net == same


@pytest.mark.parametrize("name", CASES)
def test_core_operations_mean_the_same(name: str) -> None:
    module, inputs = prepared(name)
    exported = torch.export.export(module, inputs).run_decompositions()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        net = cnnir.load(exported)
    verify(net)
    if not any("stay as PyTorch calls them" in str(w.message) for w in told):
        check(net, module, inputs)


@pytest.mark.parametrize("name", [name for name in CASES if name not in NO_WAY_BACK])
def test_the_way_back(name: str) -> None:
    module, inputs = prepared(name)
    back = cnnir.to_torch(cnnir.load(module, inputs))
    assert list(back.state_dict()) == list(module.state_dict())
    back.load_state_dict(module.state_dict())
    wanted, found = tuple_of(module(*[x.clone() for x in inputs])), tuple_of(back(*[x.clone() for x in inputs]))
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", sorted(NO_WAY_BACK))
def test_what_has_no_way_back_says_so(name: str) -> None:
    module, inputs = prepared(name)
    with pytest.raises(CnnirError) as caught:
        cnnir.to_torch(cnnir.load(module, inputs))
    assert {d.code for d in caught.value.diagnostics} == {"C0871"}
