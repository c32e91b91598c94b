"""Networks brought back to PyTorch are trained as the module that they came from."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cnnir
from cnnir.diagnostics import CnnirError

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")]


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.one = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
        self.two = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Any) -> Any:
        return self.act(x + self.two(self.one(x)))


class Net(nn.Module):
    """conv, batch norm, activation, pool; a residual; a concat in front of a pool."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2))
        self.block = Block(16)
        self.left = nn.Sequential(nn.Conv2d(16, 8, 1), nn.BatchNorm2d(8), nn.ELU())
        self.right = nn.Sequential(nn.Conv2d(16, 8, 3, padding=1), nn.BatchNorm2d(8), nn.LeakyReLU(0.1))
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Any) -> Any:
        x = self.block(self.stem(x))
        x = self.pool(torch.cat([self.left(x), self.right(x)], 1))
        return self.head(self.drop(x.mean((2, 3))))


X = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def losses(module: Any, steps: int = 20) -> np.ndarray[Any, Any]:
    """The loss at each step of training on random data that are the same for everyone."""
    torch.manual_seed(1)
    module.train()
    optimizer = torch.optim.SGD(module.parameters(), 0.05, momentum=0.9)
    found: list[float] = []
    for _ in range(steps):
        x, wanted = torch.randn(8, 3, 32, 32), torch.randint(0, 10, (8,))
        loss = nn.functional.cross_entropy(module(x), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    return np.array(found)


def reordered(module: Any, **how: Any) -> Any:
    done = cnnir.optimize(cnnir.load(module, (X,)), place="always", **how)
    assert sum(d.verdict == "moved" for d in done.decisions) >= 3
    return cnnir.to_torch(done.graph)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_reordered_network_trains_as_the_original(dropout: float) -> None:
    torch.manual_seed(0)
    module = Net(dropout)
    back = reordered(module, training=True)
    assert list(back.state_dict()) == list(module.state_dict())
    before, after = losses(module), losses(back)
    assert abs(before - before.mean()).max() > 0.1  # it learns something
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5)
    for key, tensor in module.state_dict().items():
        torch.testing.assert_close(back.state_dict()[key], tensor, rtol=0, atol=1e-4)


def test_moving_what_is_learned_trains_another_network() -> None:
    """Why `training=True` refuses it: answers are bit for bit the same, and the statistics of a batch are not."""
    torch.manual_seed(0)
    module = Net()
    with pytest.warns(UserWarning, match="traded places") as told:
        back = reordered(module)
    assert "stem.1" in str(told[0].message)
    assert torch.equal(back(X), module.eval()(X))
    assert abs(losses(module) - losses(back)).max() > 0.01


def test_in_training_nothing_is_known_of_what_weights_make() -> None:
    """|x| behind a convolution whose outputs happen to be positive."""
    text = 'network n(x: f32[1, 3, 8, 8] in [1, 2]) { x -> conv(4, 1, bias=off, weight="k") -> abs -> maxpool(2) }'
    net = cnnir.parse(text)
    net.weights["k"] = np.ones((4, 3, 1, 1), np.float32)
    verdicts = [[d.verdict for d in cnnir.optimize(net, place="always", training=t).decisions] for t in (False, True)]
    assert verdicts[0] == ["moved"]
    assert cnnir.optimize(net, place="always").decisions[0].law == "up"
    assert [d.law for d in cnnir.optimize(net, place="always", training=True).decisions if d.verdict == "moved"] != ["up"]


def test_training_does_not_touch_the_network() -> None:
    net = cnnir.load(Net(), (X,))
    before = {key: net.weights[key].copy() for key in net.weights}
    losses(cnnir.to_torch(net), 2)
    assert all(np.array_equal(net.weights[key], array) for key, array in before.items())


def test_a_network_in_cnn_is_a_module_with_its_keys() -> None:
    net = cnnir.parse("network n(x: f32[1, 3, 8, 8]) { x -> conv(4, 3) -> batchnorm -> prelu -> maxpool(2) -> flatten -> fc(2) }")
    back = cnnir.to_torch(net)
    parameters = {key for key, _ in back.named_parameters()}
    assert {"conv1.weight", "batchnorm1.scale", "prelu1.slope", "fc1.bias"} <= parameters or len(parameters) == 7
    assert not any("mean" in key or "variance" in key for key in parameters)
    x = torch.randn(1, 3, 8, 8)
    np.testing.assert_allclose(back(x).detach().numpy(), cnnir.evaluate(net, {"x": x.numpy()})["output"], rtol=1e-5, atol=1e-6)


def test_shared_weights_stay_shared() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)
            self.two.weight = self.one.weight

        def forward(self, x: Any) -> Any:
            return self.two(self.one(x).relu())

    back = cnnir.to_torch(cnnir.load(Tied(), (torch.randn(2, 4),)))
    assert list(back.state_dict()) == list(Tied().state_dict())
    assert back.one.weight is back.two.weight


@pytest.mark.parametrize("name", ['x"; import os; os.mkdir("made")  #', "self", "class", "1", "a.b", "\n"])
def test_names_are_never_code(name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    net = cnnir.Graph(name)
    x = net.add_input(name, cnnir.TensorType("f32", (1, 2, 3, 3)))
    from cnnir.ops.convolution import Conv

    net.weights[f"{name}k"] = np.ones((2, 2, 1, 1), np.float32)
    net.results["y"] = net.add(Conv(2, (1, 1), bias=False), [x], name=f"{name}!", weights={"weight": f"{name}k"})
    assert cnnir.to_torch(net)(torch.ones(1, 2, 3, 3)).sum().item() == 36
    assert not list(tmp_path.iterdir())


def test_all_layers_without_a_counterpart_are_named() -> None:
    net = cnnir.parse("network n(x: f32[5, 1, 4]) { y, h = x -> gru(3); z, i = x -> gru(3); return y, z }")
    with pytest.raises(CnnirError) as caught:
        cnnir.to_torch(net)
    assert [d.code for d in caught.value.diagnostics] == ["C0871"] * 2


def test_a_key_that_is_a_weight_and_a_folder_is_refused() -> None:
    net = cnnir.parse('network n(x: f32[1, 4]) { x -> fc(4, bias=off, weight="a") -> fc(4, bias=off, weight="a.b") }')
    with warnings.catch_warnings(), pytest.raises(CnnirError) as caught:
        cnnir.to_torch(net)
    assert caught.value.diagnostics[0].code == "C0871"
