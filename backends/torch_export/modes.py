"""Parts of a module that behave otherwise in training. They hold no weights: those lie under their keys."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class BatchNorm(nn.Module):
    """Batch norm by running statistics, or in training by those of the batch, which then move the running ones.

    The momentum is PyTorch's default: a network does not keep it.
    """

    def __init__(self, eps: float, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = momentum

    def forward(self, x: Any, mean: Any, variance: Any, scale: Any, bias: Any, batches: Any = None) -> Any:
        if self.training and batches is not None:
            with torch.no_grad():
                batches.add_(1)
        return functional.batch_norm(x, mean, variance, scale, bias, self.training, self.momentum, self.eps)


class Dropout(nn.Module):
    """Nothing, or in training each element lost with a probability."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Any) -> Any:
        return functional.dropout(x, self.rate, self.training)
