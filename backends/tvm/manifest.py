"""What a program is, apart from its code and weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cnnir.types import TensorType


@dataclass(frozen=True)
class Work:
    """What one run does, counted, not timed."""

    kernels: int
    """Kernel launches."""
    bytes: int
    """Bytes the kernels read and write, each operand once a launch."""
    macs: int
    """Multiply-accumulate operations."""
    evaluations: int
    """Evaluations of activation functions, one an element."""
    memory: int
    """Bytes of intermediate results and outputs, as they are arranged; without what a kernel needs while it runs."""
    least_memory: int
    """The liveness bound of that: what is alive at once, at most. On `cuda` TVM arranges, and both are the bound."""


@dataclass(frozen=True)
class Manifest:
    """What a program is, apart from its code and weights."""

    name: str
    target: str
    threads: int
    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, TensorType]
    work: Work
    versions: Mapping[str, str]
    ranges: Mapping[str, tuple[float, float] | None]
    """Declared ranges of the inputs."""
    calls: tuple[tuple[str, ...], ...]
    """The layers that each kernel call computes, in order; none for a change of layout."""
    cpu_features: tuple[str, ...] = ()
    """Instruction sets that the library uses, by their names in /proc/cpuinfo."""
