"""A compiled network: call it, save it, load it. Nothing here imports the compiler."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnnir.diagnostics import CnnirError, Diagnostic
from cnnir.types import TensorType

from . import package
from .cpu import check_machine
from .manifest import Manifest, Work
from .runner import Machine, RuntimeMissing, as_tensor

Array = np.ndarray[Any, Any]


class Program:
    """A network compiled for a target.

        outs = program({"x": array})        # output name -> ndarray

    The first call loads the library on a runner thread of its own, with `threads` threads behind it.
    """

    def __init__(
        self, manifest: Manifest, library: Path, constants: Sequence[Array], files: Mapping[str, bytes] | None = None,
        temporary: Path | None = None,
    ) -> None:  # fmt: skip
        self.manifest = manifest
        self.library = library
        self.constants = list(constants)
        self.files = dict(files or {})
        if temporary is not None:  # the folder that holds the library goes when the program does
            weakref.finalize(self, shutil.rmtree, temporary, ignore_errors=True)
        self._machine: Machine | None = None
        self._weights: list[Any] | None = None

    @property
    def inputs(self) -> Mapping[str, TensorType]:
        """Input name -> type."""
        return self.manifest.inputs

    @property
    def outputs(self) -> Mapping[str, TensorType]:
        """Output name -> type."""
        return self.manifest.outputs

    @property
    def work(self) -> Work:
        """What one run does, counted."""
        return self.manifest.work

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run once; raises CnnirError where a feed is missing, unknown, or of the wrong shape or dtype."""
        results = self.load().run([*self.arguments(feeds)])
        return dict(zip(self.outputs, results, strict=True))

    def run(self, feeds: Mapping[str, Array] | None = None, **arrays: Array) -> dict[str, Array]:
        """Run once; feeds may be given by keyword."""
        return self({**(feeds or {}), **arrays})

    def load(self) -> Machine:
        """The loaded library; loads it at the first call."""
        if self._machine is None:
            self._machine = self._open()
        return self._machine

    def _open(self) -> Machine:
        check_machine(self.manifest.target, self.library.parent)
        try:
            if self.manifest.target.startswith("cuda"):
                from .cuda_program import open_machine

                machine = open_machine(self.library, self.manifest.threads, self.files)
            else:
                machine = Machine(self.library, self.manifest.threads)
        except RuntimeMissing as error:
            raise CnnirError(Diagnostic("C0515", "TVM's runtime is not installed", notes=(str(error),)), 3) from error
        except (OSError, RuntimeError, AttributeError) as error:  # gone, or no library, or not one of ours
            raise package.damaged(self.library.parent, error) from error
        count = len(self.inputs) + len(self.constants)
        if machine.arity != count:
            machine.close()
            raise package.damaged(self.library.parent, ValueError(f"the library takes {machine.arity} tensors, the manifest has {count}"))
        return machine

    def arguments(self, feeds: Mapping[str, Array]) -> list[Any]:
        """The tensors `main` takes: feeds in the order of the inputs, then the weights."""
        self._check(feeds)
        if self._weights is None:
            self._weights = [as_tensor(c) for c in self.constants]
        return [*(as_tensor(np.asarray(feeds[name], order="C")) for name in self.inputs), *self._weights]

    def _check(self, feeds: Mapping[str, Array]) -> None:
        found: list[Diagnostic] = []
        for name in feeds.keys() - self.inputs.keys():
            found.append(Diagnostic("C0601", f"the network has no input `{name}`", help=f"its inputs are {', '.join(self.inputs)}"))
        for name, t in self.inputs.items():
            array = feeds.get(name)
            if array is None:
                found.append(Diagnostic("C0601", f"input `{name}` is missing", help=f"it is {t}"))
            elif tuple(array.shape) != t.shape or array.dtype != t.numpy:
                found.append(Diagnostic("C0602", f"input `{name}` is {array.dtype}{list(array.shape)}, the network takes {t}"))
        if found:
            raise CnnirError(found)

    def profile(self, feeds: Mapping[str, Array]) -> list[tuple[tuple[str, ...], float]]:
        """Run once; the layers and the seconds of each kernel call."""
        return list(zip(self.manifest.calls, self.load().profile(self.arguments(feeds)), strict=True))

    def close(self) -> None:
        """Stop the runner thread; the program can be called again, which loads it anew."""
        if self._machine is not None:
            self._machine.close()
            self._machine = None

    def save(self, path: str | Path) -> None:
        """Write a package: a folder with the library, the weights at 64-byte offsets, and a manifest."""
        package.write(Path(path), package.Contents(self.manifest, self.library, self.constants, self.files))


def load(path: Path, threads: int | None = None, verify: bool = False) -> Program:
    """Open a package; raises CnnirError where it is damaged, or (exit code 3) made for another CPU or version.

    `verify` hashes the weights too.
    """
    found = package.read(path, threads, verify)
    return Program(found.manifest, found.library, found.constants, found.files)
