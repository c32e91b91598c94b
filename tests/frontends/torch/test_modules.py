"""Modules as people write them: names, memory, modes, and what is said where one cannot be a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cnnir
from cnnir.cli import run_command
from cnnir.diagnostics import CnnirError
from cnnir.ops.tensor import Input

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")]


def vgg16() -> nn.Module:
    """VGG-16 as anybody would write it down."""
    layers: list[nn.Module] = []
    channels = 3
    for count, width in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    dense = [
        nn.Linear(512 * 49, 4096),
        nn.ReLU(inplace=True),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Linear(4096, 1000),
        nn.Softmax(1),
    ]
    return nn.Sequential(*layers, nn.Flatten(), *dense).eval()


def body(text: str) -> str:
    """A network's text without its names: of the network, of its input and of its weights."""
    return text.partition("\nweights ")[0].replace("Sequential", "vgg16").replace("input", "image").strip()


def test_vgg16_is_the_example_and_answers_as_pytorch(examples: Path) -> None:
    torch.manual_seed(0)
    module, image = vgg16(), torch.rand(1, 3, 224, 224)
    net = cnnir.load(module, (image,))
    example = cnnir.load(examples / "vgg16.cnn")
    net.revise("input", op=Input(net.inputs["input"], (0.0, 1.0)))
    assert body(cnnir.dumps(net)) == body(cnnir.dumps(example))
    found, wanted = cnnir.evaluate(net, {"input": image.numpy()})["output"], module(image).detach().numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-8)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2))
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 4)
        self.unused = nn.Parameter(torch.ones(3))

    def forward(self, x: Any) -> Any:
        return self.head(self.drop(self.stem(x).mean((2, 3))))


X = torch.randn(2, 3, 8, 8)


def test_weights_are_the_tensors_themselves_under_their_names() -> None:
    module = Net()
    net = cnnir.load(module, (X,))
    state = module.state_dict()
    assert set(state) == set(net.weights)
    assert all(net.weights[key].__array_interface__["data"][0] == tensor.data_ptr() for key, tensor in state.items())
    assert dict(net["stem.1"].weights)["variance"] == "stem.1.running_var"


def test_modules_are_read_as_they_are_used_and_left_as_they_were() -> None:
    module = Net().train()
    module.stem[1].eval()
    net = cnnir.load(module, (X,))
    assert [part.training for part in module.modules()] == [part is not module.stem[1] for part in module.modules()]
    wanted = module.eval()(X).detach().numpy()
    np.testing.assert_allclose(cnnir.evaluate(net, {"x": X.numpy()})["output"], wanted, rtol=1e-5, atol=1e-6)


def test_layers_point_at_their_module() -> None:
    span = cnnir.load(Net(), (X,))["stem.2"].origin.span
    assert span is not None and span.text.startswith("stem.2: ReLU = aten.relu_")
    assert span.source.name == "Net"


def test_sizes_that_have_names_are_given_numbers(tmp_path: Path) -> None:
    exported = torch.export.export(Net().eval(), (X,), dynamic_shapes=({0: torch.export.Dim("N", max=64)},))
    torch.export.save(exported, tmp_path / "net.pt2")
    for model in (exported, tmp_path / "net.pt2"):
        with pytest.raises(CnnirError) as caught:
            cnnir.load(model)
        assert [d.code for d in caught.value.diagnostics] == ["C0222"]
        net = cnnir.load(model, shapes={"x": (5, 3, 8, 8)})
        assert net.outputs["output"].shape == (5, 4)
        with pytest.raises(CnnirError, match="does not fit"):
            cnnir.load(model, shapes={"x": (5, 4, 8, 8)})


class Branching(nn.Module):
    def forward(self, x: Any) -> Any:
        return x * 2 if x.sum() > 0 else x


def test_what_cannot_be_traced_is_a_diagnostic() -> None:
    with pytest.raises(CnnirError) as caught:
        cnnir.load(Branching(), (X,))
    (found,) = caught.value.diagnostics
    assert found.code == "C0863" and found.notes


@pytest.mark.parametrize("given", [(), None])
def test_wrong_use_is_told(given: Any) -> None:
    with pytest.raises(CnnirError) as caught:
        cnnir.load(Net(), given)
    assert caught.value.diagnostics[0].code == "C0863"
    with pytest.raises(CnnirError) as caught:
        cnnir.load({"state": 1})
    assert caught.value.exit_code == 2


class Sampled(nn.Module):
    def forward(self, x: Any, grid: Any) -> Any:
        return torch.relu(nn.functional.grid_sample(x, grid, align_corners=False))


def test_unknown_operations_stay_and_go_back(tmp_path: Path) -> None:
    inputs = X, torch.rand(2, 4, 4, 2) * 2 - 1
    with pytest.warns(UserWarning, match="grid_sampler"):
        net = cnnir.load(Sampled(), inputs)
    cnnir.save(net, tmp_path / "net.cnn")
    again = cnnir.load(tmp_path / "net.cnn")
    assert again == net
    torch.testing.assert_close(cnnir.to_torch(again)(*inputs), Sampled()(*inputs))


class Complex(nn.Module):
    def forward(self, x: Any) -> Any:
        return torch.fft.ifft(torch.fft.fft(x)).real + torch.bincount(x.flatten().long().abs()).sum()


def test_what_has_no_place_is_listed_all_at_once() -> None:
    with pytest.raises(CnnirError) as caught:
        cnnir.load(Complex(), (X,))
    found = caught.value.diagnostics
    assert {d.code for d in found} == {"C0862"} and len(found) >= 2
    assert all(d.labels for d in found)


def test_half_precision_is_kept() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).to(torch.bfloat16).eval()
    net = cnnir.load(module, (X.to(torch.bfloat16),))
    assert net.outputs["output"].dtype == "bf16"
    back = cnnir.to_torch(net)
    torch.testing.assert_close(back(X.to(torch.bfloat16)), module(X.to(torch.bfloat16)), rtol=0, atol=0)


@pytest.mark.parametrize(
    "verb", [["check"], ["opt", "-o", "out.cnn"], ["compile", "-o", "out.cnnpkg"], ["run", "--random", "0"], ["inspect"]]
)
def test_the_command_line_reads_files(verb: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.export.save(torch.export.export(Net().eval(), (X,)), "net.pt2")
    assert run_command([verb[0], "net.pt2", *verb[1:]]) == 0
    assert all(Path(name).exists() for name in verb if name.startswith("out"))


@pytest.mark.parametrize("activation", [nn.SiLU(), nn.Hardswish()])
def test_an_activation_in_its_parts_moves_as_the_whole(activation: nn.Module) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), activation, nn.MaxPool2d(2)).eval()
    exported = torch.export.export(module, (X,))
    for program in (exported, exported.run_decompositions()):
        (decision,) = cnnir.optimize(cnnir.load(program), place="always", exactness="ulp").decisions
        assert (decision.verdict, decision.law) == ("moved", "valley")
