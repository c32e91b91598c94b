"""Opening a program compiled for CUDA: machine code from the package, never from a compiler on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tvm_ffi

from cnnir.diagnostics import CnnirError, Diagnostic

from .cuda_build import gpu_arch, load_gpu_runtime, serve_kernels, source_key
from .runner import Machine, RuntimeMissing

SOURCE, CUBIN, PTX = "kernels.cu", "kernels.cubin", "kernels.ptx"


def open_machine(library: Path, threads: int, files: Mapping[str, bytes]) -> Machine:
    """Load a CUDA library on GPU 0; raises CnnirError (exit code 3) without a GPU or without stored machine code."""
    if CUBIN not in files:
        help = "compile with a CUDA tool-chain: pip install 'cnnir[cuda]'"
        raise CnnirError(Diagnostic("C0505", "the package holds CUDA source only", help=help), 3)
    try:
        load_gpu_runtime()
        if gpu_arch() is None:
            raise RuntimeMissing("there is a driver, and no GPU that this process may use (CUDA_VISIBLE_DEVICES)")
    except RuntimeMissing as error:
        raise CnnirError(Diagnostic("C0506", "this program needs an NVIDIA GPU", notes=(str(error),)), 3) from error
    with serve_kernels({source_key(files[SOURCE].decode()): files[CUBIN]}):
        return Machine(library, threads, tvm_ffi.device("cuda", 0))
