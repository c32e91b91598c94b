"""What a runtime shows the worker, and what it says about itself; importing this needs no runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]


class NotConverted(Exception):
    """A runtime's converter refused the network, for the reason given."""


class Session(Protocol):
    """A network loaded into a runtime together with its inputs."""

    def run(self) -> None:
        """Compute the outputs once."""
        ...

    def outputs(self) -> Mapping[str, Array]:
        """The outputs of the last run, in the model's order."""
        ...


@dataclass(frozen=True)
class Runtime:
    """One way to run an ONNX model: what it is called, what must be installed, and how it is opened."""

    name: str
    package: str
    """The name to import and to ask for a version."""
    open: Callable[[Path, Mapping[str, Array], int], Session]
    """Loads a model for (path, inputs, threads); imports the package only then."""
    install: str = "cnnir[peers]"
    """What pip installs."""
    requires: tuple[str, ...] = ()
    """What pip installs where it runs in an environment of its own; empty where it runs in ours."""

    @property
    def module(self) -> str:
        """The name of the file beside this one that it is in."""
        return self.open.__module__.rpartition(".")[2]
