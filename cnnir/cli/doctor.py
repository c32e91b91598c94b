"""cnnc doctor: what this machine can compile and run."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import click

from .console import console, emit_json, json_option, table

_PACKAGES = ("cnnir", "apache-tvm", "apache-tvm-ffi", "numpy", "networkx", "lark", "safetensors", "onnx", "onnxruntime", "openvino")


@click.command()
@click.option("--calibrate", is_flag=True, help="Measure what this CPU can do at most, and keep it; best on an idle machine.")
@json_option
def command(calibrate: bool, as_json: bool) -> None:
    """Show versions, this CPU as the compiler sees it, what was measured of it, and the tool-chains found.

    \b
    Example:
      cnnc doctor
      cnnc doctor --calibrate

    Once it is calibrated, `place=auto` prices moves in seconds and `conv=auto` weighs Winograd by the measured memory.
    """
    if calibrate:
        from cnnir.backends.tvm.calibrate import calibrate as measure
        from cnnir.backends.tvm.targets import TargetSpec

        measure(TargetSpec("llvm"))
    found = {"Python": platform.python_version(), **{p: _version(p) for p in _PACKAGES}}
    found |= {name: _guarded(probe) for name, probe in _PROBES.items()}
    if as_json:
        emit_json("doctor", {"found": found})
        return
    console().print(table(["what", "found"], list(found.items())))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _guarded(probe: Callable[[], str]) -> str:
    """A doctor reports what is broken; it does not break with it."""
    try:
        return probe()
    except Exception as error:
        return f"failed: {type(error).__name__}: {error}"


def _cpu() -> str:
    from cnnir.backends.tvm.target import describe_host

    return f"{describe_host()}, {len(os.sched_getaffinity(0))} cores"


def _peaks() -> str:
    from cnnir.backends.tvm.machine import known
    from cnnir.backends.tvm.targets import TargetSpec

    found = known(TargetSpec("llvm"))
    if found is None:
        return "not measured: cnnc doctor --calibrate"
    fma, one = found.flops / 1e9, found.flops_one / 1e9
    memory, alone = found.bytes / 1e9, found.bytes_one / 1e9
    return (
        f"{fma:.0f} GFLOP/s of vector fma on {found.threads} threads ({one:.0f} on one), {memory:.1f} GB/s from memory ({alone:.1f} on one)"
    )


def _linker() -> str:
    from cnnir.backends.tvm.build import LINKERS

    found = next((path for name in LINKERS if (path := shutil.which(name))), None)
    return found or "none: install gcc or clang to compile for llvm"


def _cuda() -> str:
    from cnnir.backends.tvm.cuda_toolchain import find_toolchain

    toolchain = find_toolchain()
    if toolchain is None:
        return "none: pip install 'cnnir[cuda]' to compile for cuda"
    archs = toolchain.supported_archs()
    return f"{toolchain.name} {toolchain.version}, {archs[0]} to {archs[-1]}"


def _gpu() -> str:
    from cnnir.backends.tvm.cuda_build import gpu_arch, load_gpu_runtime
    from cnnir.backends.tvm.runner import RuntimeMissing

    try:
        load_gpu_runtime()
    except RuntimeMissing:
        return "none (compiling for cuda does not need one)"
    return gpu_arch() or "none"


_PROBES: dict[str, Callable[[], str]] = {"CPU target": _cpu, "CPU peaks": _peaks, "linker": _linker, "CUDA tool-chain": _cuda, "GPU": _gpu}
