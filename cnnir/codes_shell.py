"""Examples of diagnostics about a machine, as sessions of a shell: each is run by `sh -e` in an empty folder, and so is its mend."""

from __future__ import annotations

from collections.abc import Mapping


def _net(body: str = "x -> relu", type: str = "f32[1, 8]") -> str:
    """A line that writes a network of one input."""
    return f"echo 'network n(x: {type}) {{ {body} }}' > n.cnn\n"


def _without(package: str) -> str:
    """Lines that make a folder which hides a package, as if it were not installed, from whoever finds it in PYTHONPATH."""
    return f"mkdir without\necho 'raise ModuleNotFoundError(name=\"{package}\")' > without/{package}.py\n"


_LIBRARY = """\
echo 'float expf(float x) { return x < 0 ? 1 + x : 1 - x; }' > exp.c
cc -shared -fPIC -o exp.so exp.c
export CNNIR_CACHE=cache LD_PRELOAD=$PWD/exp.so
"""
_RISING = _net("x -> exp -> maxpool(2)", "f16[1, 1, 8, 8]")
_SITE = "x -> conv(2, 3) -> relu -> maxpool(2)"
_PRODUCT = "matmul(x, transpose(x, [0, 2, 1]))"
_TO_TORCH = "python -c 'import cnnir; cnnir.to_torch(cnnir.load(\"n.cnn\"))'\n"

SESSIONS: Mapping[str, tuple[str, str]] = {
    "C0502": (
        _net() + 'cnnc=$(command -v cnnc)\nPATH=nowhere "$cnnc" compile n.cnn -o n.cnnpkg\n',
        _net() + "cnnc compile n.cnn -o n.cnnpkg\n",
    ),
    "C0505": (
        _net() + "cnnc compile n.cnn --target cuda --arch sm_20 -o n.cnnpkg\n",
        _net() + "cnnc compile n.cnn --target cuda --arch sm_90 --emit cuda -o n.cu\n",
    ),
    "C0506": (
        _net() + "CUDA_VISIBLE_DEVICES= cnnc run n.cnn --target cuda --random 0\n",
        _net() + "CUDA_VISIBLE_DEVICES= cnnc run n.cnn --target llvm --random 0\n",
    ),
    "C0516": (
        "export CNNIR_CACHE=cache\nmkdir -p cache/sweeps\necho '{' > cache/sweeps/exp.json\ncnnc sweep --list\n",
        "export CNNIR_CACHE=cache\ncnnc sweep exp --dtype bf16\ncnnc sweep --list\n",
    ),
    "C0517": (
        "touch taken\nCNNIR_CACHE=taken cnnc sweep exp --dtype bf16\n",
        "CNNIR_CACHE=cache cnnc sweep exp --dtype bf16\n",
    ),
    "C0518": (
        "cnnc sweep rsqrt --dtype bf16\n",
        "cnnc sweep rsqrt --dtype bf16 --range 0.5 4\n",
    ),
    "C0519": (
        _net(_PRODUCT, "f32[1, 48, 32]") + "CNNIR_CACHE=cache cnnc run n.cnn --tuned --random 0\n",
        _net(_PRODUCT, "f32[1, 48, 32]") + "export CNNIR_CACHE=cache\ncnnc tune n.cnn --trials 1\ncnnc run n.cnn --tuned --random 0\n",
    ),
    "C0603": (
        _RISING + _LIBRARY + "cnnc bench n.cnn\n",
        _RISING + _LIBRARY + "cnnc sweep n.cnn\ncnnc bench n.cnn\n",
    ),
    "C0703": (
        _net() + _without("onnx") + "PYTHONPATH=without cnnc convert n.cnn -o n.onnx\n",
        _net() + "cnnc convert n.cnn -o n.onnx\n",
    ),
    "C0711": (
        _net() + "CNNIR_PEERS=peers PIP_NO_INDEX=1 cnnc bench n.cnn --against ncnn\n",
        _net() + "cnnc bench n.cnn\n",
    ),
    "C0712": (
        _net(_SITE, "f64[1, 2, 8, 8]") + "cnnc opt n.cnn --for onnxruntime\n",
        _net(_SITE, "f32[1, 2, 8, 8]") + "cnnc opt n.cnn --for onnxruntime\n",
    ),
    "C0864": (
        _net() + _without("torch") + "PYTHONPATH=without " + _TO_TORCH,
        _net() + _TO_TORCH,
    ),
}  # fmt: skip
"""Code -> the session that ends with it, and the session mended."""
