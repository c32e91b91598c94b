"""CUDA C to machine code, on a machine that needs neither a GPU nor a driver.

Two tool-chains, tried in this order: NVRTC from pip packages, called directly, and an nvcc that is
installed already.  Both compile with strict arithmetic: a product and a sum stay two roundings,
subnormals stay, division and square root round correctly, and `expf` is the accurate one.  The
laws that move layers are proved for that arithmetic, so a faster flag here would falsify them.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INSTALL = "pip install 'cnnir[cuda]'"

STRICT = ("--fmad=false", "--ftz=false", "--prec-div=true", "--prec-sqrt=true")
"""The arithmetic, spelt the same way for both compilers."""

# Generated code uses the operators of half and bfloat16, which some headers switch off.
_OPERATORS = tuple(
    f"-U__CUDA_NO_{what}__"
    for what in (
        "HALF_OPERATORS",
        "HALF_CONVERSIONS",
        "BFLOAT16_OPERATORS",
        "BFLOAT16_CONVERSIONS",
        "BFLOAT162_OPERATORS",
        "BFLOAT162_CONVERSIONS",
    )
)


class CudaError(RuntimeError):
    """CUDA source could not be turned into machine code."""


class ToolchainMissing(CudaError):
    """No CUDA compiler is installed."""

    def __init__(self) -> None:
        super().__init__(f"no CUDA compiler found; install one with: {INSTALL}")


class ToolchainFailed(CudaError):
    """The compiler rejected the source; `log` is what it printed."""

    def __init__(self, compiler: str, log: str) -> None:
        super().__init__(f"{compiler} failed:\n{log}")
        self.log = log


class ArchUnsupported(CudaError):
    """The architecture is misspelt, or the compiler is too old or too new for it."""

    def __init__(self, arch: str, compiler: str, supported: tuple[str, ...]) -> None:
        super().__init__(f"{compiler} cannot compile for {arch!r}; it can for {' '.join(supported)}")
        self.arch = arch
        self.supported = supported


@dataclass(frozen=True)
class CompiledCuda:
    """One source compiled for one architecture."""

    cubin: bytes  # runs on that architecture and on later minor versions of it
    ptx: str  # what a newer GPU's driver translates for itself


class Toolchain(ABC):
    """A compiler for CUDA C."""

    name: str
    version: str

    @abstractmethod
    def supported_archs(self) -> tuple[str, ...]:
        """Such as `("sm_75", "sm_80", ...)`, oldest first."""

    @abstractmethod
    def _compile(self, source: str, arch: str) -> CompiledCuda: ...

    def check_arch(self, arch: str) -> None:
        """Raise `ArchUnsupported` unless `compile` knows `arch`.

        The variants that NVIDIA marks with a letter pass where their plain form does: `sm_90a`,
        and from sm_100 on also `f`.
        """
        supported = self.supported_archs()
        form = re.fullmatch(r"(sm_(\d+))([af]?)", arch, re.ASCII)
        first = {"": 0, "a": 90, "f": 100}
        if not form or form[1] not in supported or int(form[2]) < first[form[3]]:
            raise ArchUnsupported(arch, self.name, supported)

    def compile(self, source: str, arch: str) -> CompiledCuda:
        """Compile `source` for `arch`; raise `ArchUnsupported` or `ToolchainFailed`."""
        self.check_arch(arch)
        return self._compile(source, arch)


class Nvrtc(Toolchain):
    """NVIDIA's compiler as a library, from pip packages: no system tool-chain, no host compiler."""

    name = "NVRTC"

    def __init__(self, nvrtc: Any, include: tuple[Path, ...]) -> None:
        """`nvrtc` is the module `cuda.bindings.nvrtc`; `include` holds `cuda_fp16.h`."""
        self._nvrtc = nvrtc
        self._include = include
        self.version = "{}.{}".format(*self._call("nvrtcVersion"))

    @classmethod
    def find(cls) -> Nvrtc | None:
        """The installed one, or None where a package is missing or broken."""
        include = _pip_include()
        if not include:
            return None
        try:
            # Loads the shared library at the first call, and fails there if it is not installed.
            return cls(importlib.import_module("cuda.bindings.nvrtc"), include)
        except (ImportError, OSError, RuntimeError):
            return None

    def supported_archs(self) -> tuple[str, ...]:
        """What this release of the library can generate."""
        return tuple(f"sm_{number}" for number in sorted(self._call("nvrtcGetSupportedArchs")))

    def _compile(self, source: str, arch: str) -> CompiledCuda:
        options = [
            f"--gpu-architecture={arch}",
            "--std=c++17",
            "--device-as-default-execution-space",
            "--device-int128",
            *STRICT,
            *_OPERATORS,
            *(f"--include-path={folder}" for folder in self._include),
        ]
        program = self._call("nvrtcCreateProgram", source.encode(), b"kernels.cu", 0, None, None)
        try:
            flags = [option.encode() for option in options]
            (status,) = self._nvrtc.nvrtcCompileProgram(program, len(flags), flags)
            if status != self._nvrtc.nvrtcResult.NVRTC_SUCCESS:
                log = self._read(program, "nvrtcGetProgramLog").rstrip(b"\0")
                raise ToolchainFailed(self.name, log.decode(errors="replace"))
            return CompiledCuda(
                cubin=self._read(program, "nvrtcGetCUBIN"),
                ptx=self._read(program, "nvrtcGetPTX").rstrip(b"\0").decode(),
            )
        finally:
            self._nvrtc.nvrtcDestroyProgram(program)

    def _read(self, program: Any, getter: str) -> bytes:
        """One of the results that come as a size and then as bytes."""
        buffer = bytearray(self._call(getter + "Size", program))
        self._call(getter, program, buffer)
        return bytes(buffer)

    def _call(self, function: str, *arguments: object) -> Any:
        """Call the library; its results without the status, unpacked where there is just one."""
        status, *results = getattr(self._nvrtc, function)(*arguments)
        if status != self._nvrtc.nvrtcResult.NVRTC_SUCCESS:
            raise ToolchainFailed(self.name, f"{function}: {status.name}")
        return results[0] if len(results) == 1 else results


class Nvcc(Toolchain):
    """NVIDIA's compiler driver.  It needs a host C++ compiler beside it."""

    name = "nvcc"

    def __init__(self, program: str) -> None:
        """`program` is the path of an executable nvcc."""
        self._program = program
        found = re.search(r"release (\d+\.\d+)", self._run("--version"))
        self.version = found[1] if found else "unknown"

    @classmethod
    def find(cls) -> Nvcc | None:
        """The one under CUDA_HOME or CUDA_PATH, else the one on PATH, else None."""
        homes = [os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
        for folder in (*(str(Path(home) / "bin") for home in homes), None):
            program = shutil.which("nvcc", path=folder)
            try:
                if program:
                    return cls(program)
            except ToolchainFailed:  # there, and does not run
                continue
        return None

    def supported_archs(self) -> tuple[str, ...]:
        """What `nvcc --list-gpu-code` prints, sorted."""
        listed = set(re.findall(r"sm_(\d+)\b", self._run("--list-gpu-code")))
        return tuple(f"sm_{number}" for number in sorted(listed, key=int))

    def _compile(self, source: str, arch: str) -> CompiledCuda:
        with tempfile.TemporaryDirectory(prefix="cnnir-cuda-") as folder:
            kernels, cubin, ptx = (Path(folder, f"kernels.{suffix}") for suffix in ("cu", "cubin", "ptx"))
            kernels.write_text(source)
            extended = ("--expt-relaxed-constexpr", "--expt-extended-lambda")
            common = (f"-arch={arch}", "-std=c++17", *STRICT, *_OPERATORS, *extended)
            self._run(*common, "--cubin", "-o", str(cubin), str(kernels))
            self._run(*common, "--ptx", "-o", str(ptx), str(kernels))
            return CompiledCuda(cubin.read_bytes(), ptx.read_text())

    def _run(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                [self._program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise ToolchainFailed(self.name, str(error)) from error
        if done.returncode:
            raise ToolchainFailed(self.name, done.stdout)
        return done.stdout


@functools.cache
def find_toolchain() -> Toolchain | None:
    """The first tool-chain that is installed and works, or None."""
    return Nvrtc.find() or Nvcc.find()


def require_toolchain() -> Toolchain:
    """Like `find_toolchain`, but raise `ToolchainMissing` rather than answer None."""
    toolchain = find_toolchain()
    if toolchain is None:
        raise ToolchainMissing
    return toolchain


def _pip_include() -> tuple[Path, ...]:
    """The header folders of NVIDIA's packages; empty unless both kinds of header are there.

    CUDA 13 puts everything under `nvidia/cu13`, CUDA 12 a folder for each package; C++'s standard
    headers for the device (`cuda/std`) sit one level deeper in the former.
    """
    spec = importlib.util.find_spec("nvidia")  # a namespace package, never executed
    roots = [Path(root) for root in (spec.submodule_search_locations or ())] if spec else []
    folders = [
        folder
        for pattern in ("cu*/include", "cu*/include/cccl")
        for root in roots
        for folder in sorted(root.glob(pattern), reverse=True)  # the newest release first
    ]
    needed = ("cuda_fp16.h", "cuda/std/cstdint")
    found = all(any((folder / header).exists() for folder in folders) for header in needed)
    return tuple(folders) if found else ()
