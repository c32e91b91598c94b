"""The public functions. The only module, with the command line, that knows frontends, passes and backends alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cnnir.diagnostics import CnnirError, Diagnostic

if TYPE_CHECKING:
    from cnnir.auditing.report import Audit
    from cnnir.backends.tvm.program import Program
    from cnnir.backends.tvm.tuning.tune import Tuned
    from cnnir.checker.runs import Program as Runnable
    from cnnir.checker.verification import Verification
    from cnnir.decisions import Optimized
    from cnnir.facts.evidence import Evidence
    from cnnir.ir.graph import Graph
    from cnnir.price import PriceModel

Array = np.ndarray[Any, Any]
Shapes = Mapping[str, Sequence[int]]
Place = Literal["auto", "always", "never", "measure"]
Exactness = Literal["exact", "ulp"]
ConvAlgorithm = Literal["direct", "winograd", "auto", "measure"]
Fusion = Literal["full", "act", "none"]
Nan = Literal["assume", "strict"]
Check = Literal["reference", "llvm"]
Form = Literal["cnn", "relax", "tir", "llvm-ir", "cuda", "ptx", "relay"]


def parse(text: str, name: str = "<string>", shapes: Shapes | None = None) -> Graph:
    """The network written in `text`, in the `.cnn` language; `name` is what diagnostics call it. Raises CnnirError.

    `shapes` gives inputs by name their shapes, and so the symbolic sizes of `f32[N, 3, H, W]` their numbers.
    """
    from cnnir.frontends import cnn

    return cnn.parse(text, name, shapes=shapes)


def load(
    model: Any,
    example_inputs: tuple[Any, ...] | None = None,
    *,
    shapes: Shapes | None = None,
    weights: str | Path | None = None,
) -> Graph:
    """Read a network from a file, by its suffix, or from a PyTorch module on example inputs, or from its exported program.

    Suffixes are `.cnn`, `.onnx`, `.pt2` and `.prototxt`; `weights` is the `.caffemodel` of the last, where it is not the one
    of its name beside it. `shapes` as for `parse`. Raises CnnirError: exit code 2 where there is no such file, 3 where a
    package that reads it is missing.
    """
    from cnnir.frontends import caffe, cnn, onnx, torch

    if not isinstance(model, str | Path):
        return torch.load(model, example_inputs, shapes)
    path = Path(model)
    if path.suffix == ".prototxt":
        return caffe.load(path, shapes, weights)
    if weights is not None:
        raise CnnirError(Diagnostic("C0509", f"`{path}` takes no weights from another file: only a `.prototxt` does"), 2)
    readers = {".cnn": cnn.load, ".onnx": onnx.load, **dict.fromkeys((".pt2", *torch.PICKLED), torch.load_file)}
    if path.suffix not in readers:
        help = "networks are `.cnn`, `.onnx`, `.pt2` and `.prototxt` files"
        raise CnnirError(Diagnostic("C0401", f"cannot read `{path}`: unknown kind of file `{path.suffix}`", help=help), 2)
    return readers[path.suffix](path, shapes=shapes)


def dumps(graph: Graph) -> str:
    """The network as `.cnn` text; parsing it gives an equal network, but for weights that do not come from their keys (`save`)."""
    from cnnir.ir.text import dumps as print_graph

    return print_graph(graph)


def save(graph: Graph, path: str | Path) -> None:
    """Write the network in the format of the suffix: `.cnn`, with a `.safetensors` beside it where weights are not drawn, or `.onnx`.

    Raises CnnirError: exit code 2 for any other suffix and where the file cannot be written.
    """
    from cnnir.ir.text import save as write_graph

    path = Path(path)
    if path.suffix == ".onnx":
        export_onnx(graph, path)
        return
    if path.suffix != ".cnn":
        help = "networks are written as `.cnn` and `.onnx`"
        raise CnnirError(Diagnostic("C0501", f"cannot write `{path}`: unknown kind of file `{path.suffix}`", help=help), 2)
    write_graph(graph, path)


def export_onnx(graph: Graph, path: str | Path, *, external: bool | None = None) -> None:
    """Write the network as an ONNX model. One that was read from ONNX keeps its names, its opset, and each node that nobody touched.

    `external`: weights in `<path>.data` beside it; by default those that were beside the model before, and all above 2 GB.
    Raises CnnirError naming every layer that ONNX cannot say; exit code 2 where the file cannot be written.
    """
    from cnnir.backends.onnx_export import save as write_model

    write_model(graph, path, external=external)


def evaluate(graph: Graph, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Output name -> array, by the NumPy reference."""
    from cnnir.backends.reference import evaluate as run_reference
    from cnnir.ir.limits import refuse_too_large

    refuse_too_large(graph)
    return run_reference(graph, feeds)


def to_torch(graph: Graph) -> Any:
    """The network as a `torch.nn.Module` that can be trained, its weights under the names they have here.

    In evaluation mode; one output, or a tuple of all. Raises CnnirError naming every layer that PyTorch cannot say.
    """
    from cnnir.backends.torch_export import to_torch as write

    return write(graph)


def optimize(
    graph: Graph | str | Path, target: str = "llvm", place: Place = "auto", exactness: Exactness = "exact", nan: Nan = "assume",
    training: bool = False, runtime: str | None = None,
) -> Optimized:  # fmt: skip
    """Place elementwise regions before or after their pools, and say why. The graph given is not changed.

    `place`: `auto` moves what pays, `always` whatever a law allows, `never` nothing, `measure` compiles both orders
    and keeps the faster. `exactness`: `exact` moves only what is equal bit for bit, `ulp` also what re-rounds.
    `nan`: `assume` that data at a site are finite and NaN-free, or be `strict` and move only where ranges prove it. Proofs
    cite what `cnnc sweep` has found for the target; nothing is swept here. `training`: move only what gives the same answers and
    gradients while weights change (batch norm of another tensor is another layer), so that `to_torch` gives a network to train.
    `runtime`, with `auto`: price each site by the clock of `onnxruntime` or `openvino`, which is to run the network.
    """
    from cnnir.ir.limits import refuse_too_large
    from cnnir.passes.place import place as place_regions

    known = evidence(target)
    network = _as_graph(graph)
    refuse_too_large(network)  # the weights of a range may be read, and a compiler is to follow
    if place == "measure":
        return _measure(network, target, exactness, nan, training)
    if runtime is None:
        return place_regions(network, place=place, exactness=exactness, price=price(target), nan=nan, evidence=known, training=training)
    if place != "auto":
        help = "`place=auto` asks what a move costs"
        raise CnnirError(Diagnostic("C0509", f"a price of `{runtime}` does not go with `place={place}`", help=help), 2)
    from cnnir.backends.peers.price import RuntimePrice

    def move(site: Graph) -> Graph:
        return place_regions(site, "always", exactness, nan=nan, evidence=known, training=training).graph

    return place_regions(network, exactness=exactness, price=RuntimePrice(runtime, move), nan=nan, evidence=known, training=training)


def evidence(target: str = "llvm") -> Evidence:
    """What was swept on this machine for a target, with the versions installed: proofs cite it. Reads a cache, never sweeps."""
    from cnnir.backends.tvm.sweep.cache import Cache
    from cnnir.backends.tvm.targets import parse_target

    return Cache(parse_target(target))


def price(target: str = "llvm") -> PriceModel:
    """What `place=auto` asks on this machine: seconds where `cnnc doctor --calibrate` has measured it, else counted operations."""
    from cnnir.backends.tvm.machine import known
    from cnnir.backends.tvm.targets import parse_target
    from cnnir.calibration import Seconds
    from cnnir.price import Operations

    found = known(parse_target(target))
    return Operations() if found is None else Seconds(found)


def verify(
    graph: Graph | str | Path, *, place: Place = "auto", exactness: Exactness = "exact", nan: Nan = "assume", runs: int = 8,
    target: Check = "reference", optimized: Optimized | None = None,
) -> Verification:  # fmt: skip
    """Optimize a network, check every certificate by a checker that shares no code with the rewriter, and run it before and after.

    Both networks run on `runs` sets of adversarial and random data, by the reference and, with `target="llvm"`, compiled too:
    the bits are equal where all moves are exact, and each site is within its stated bound where one re-rounds. `optimized`
    is checked instead of what the optimizer makes now. Never raises for what it finds: see `.ok`, `.report` and `.runs`.
    """
    from cnnir.checker.verification import verified
    from cnnir.ir.limits import refuse_too_large
    from cnnir.testing.data import trials

    network = _as_graph(graph)
    refuse_too_large(network)
    optimized = optimized or optimize(network, place=place, exactness=exactness, nan=nan)
    names = ("reference", "llvm") if target == "llvm" else ("reference",)
    return verified(network, optimized, [(name, _runner(name), trials(network, runs)) for name in names])


def audit(original: Graph | str | Path, optimized: Graph | str | Path, runs: int = 8) -> Audit:
    """What lies between a network and somebody's optimized version of it: each reordering, proved, bounded, wrong or not understood.

    Values are paired by what they are computed of, weights by their numbers; names do not matter. What is wrong comes with
    data on which both orders were run; both networks also run on `runs` sets of data. Raises CnnirError where inputs (by
    name) or outputs (by place) are of other types.
    """
    from cnnir.auditing.audit import audited
    from cnnir.ir.limits import refuse_too_large
    from cnnir.testing.data import trials

    networks = [_as_graph(original), _as_graph(optimized)]
    for network in networks:
        refuse_too_large(network)
    return audited(networks[0], networks[1], _runner("reference"), trials(networks[0], runs))


def _runner(name: str) -> Callable[[Graph], Runnable]:
    if name == "reference":
        from cnnir.backends.reference import evaluate as run_reference

        return lambda graph: lambda feeds: run_reference(graph, feeds)
    return lambda graph: compile(graph, name) if graph.results else lambda feeds: {}


def compile(
    graph: Graph | str | Path, target: str = "llvm", *, arch: str | None = None, threads: int | None = None, conv: ConvAlgorithm = "auto",
    fusion: Fusion = "full", place: Place | None = None, exactness: Exactness = "exact", tuned: bool | str | Path = False,
) -> Program:  # fmt: skip
    """Compile a network as it is given, or placed first where `place` is said.

    `target` is `llvm` (this CPU), `llvm -mcpu=...` or `cuda`; `arch` goes with `cuda` (default sm_80). `threads`
    defaults to the cores this process may use. `conv` decides the convolution algorithm by the convolution alone,
    so that moved and unmoved networks compare: `direct` (plain sums), `winograd` (wherever it can be), `auto` (the faster
    by estimate) or `measure` (the faster by the clock: raced once, and kept for this machine). `fusion` is `full`
    (activation and pool in their convolution's kernel), `act` (pools apart) or `none` (every layer a kernel of its own).
    `tuned` schedules kernels without a template as the records of `tune` say, those in the cache or in a folder; the bits
    are the same. Code that was compiled before is taken from a cache.
    """
    from cnnir.backends.tvm.compile import compile_graph
    from cnnir.backends.tvm.targets import parse_target

    network = _as_graph(graph)
    if place is not None:
        network = optimize(network, target, place, exactness).graph
    records = Path(tuned) if isinstance(tuned, str) else tuned
    return compile_graph(network, parse_target(target, arch), threads, fusion, conv, records)


def tune(
    graph: Graph | str | Path, target: str = "llvm", *, trials: int = 64, threads: int | None = None, records: str | Path | None = None,
    place: Place = "auto", conv: ConvAlgorithm = "auto", again: bool = False,
    progress: Callable[[str], Callable[[int], None]] | None = None,
) -> list[Tuned]:  # fmt: skip
    """Try schedules for the kernels that no template makes, up to `trials` for each, and keep the fastest: `compile(tuned=True)` takes it.

    The kernels are those of the network as given and as placed by `place`; one that has a record is not tuned `again` unless
    that is said. `records` is a folder in place of the cache. `progress` is told the layers of each kernel, and what it returns
    how many trials more are done. Only schedules with the plain kernel's own bits count: no sum is added up in another order.
    Raises CnnirError: exit code 2 for `cuda` and where records cannot be kept, 3 for a CPU that is not this one.
    """
    from cnnir.backends.tvm.compile import planned
    from cnnir.backends.tvm.targets import parse_target
    from cnnir.backends.tvm.tuning.tune import require_llvm, tune_plans

    spec = parse_target(target)
    require_llvm(spec)
    network = _as_graph(graph)
    versions = [network, optimize(network, target, place).graph]
    plans = [planned(version, spec, conv=conv) for version in versions]
    folder = None if records is None else Path(records)
    return tune_plans(
        [plan for plan, _ in plans], plans[0][1], trials, threads, folder, again, progress or (lambda _layers: lambda _steps: None)
    )


def emit(
    graph: Graph, form: Form, target: str = "llvm", arch: str | None = None, fusion: Fusion = "full", conv: ConvAlgorithm = "auto"
) -> str:
    """The network as text in one of the forms it goes through: cnn, relax, tir, llvm-ir, cuda, ptx; or as Relay.

    Relay's weights are arguments, and `export_relay` writes them beside the text.
    """
    if form == "cnn":
        return dumps(graph)
    if form == "relay":
        from cnnir.backends.relay_text import listing

        return listing(graph).text()
    from cnnir.backends.tvm.emit import emit as emit_form
    from cnnir.backends.tvm.targets import parse_target

    return emit_form(graph, form, parse_target(target, arch), fusion, conv)


def export_relay(graph: Graph, path: str | Path) -> None:
    """Write the network as Relay text, and its weights, by the names of the arguments, as a `.safetensors` of its name beside it.

    Raises CnnirError naming every layer that Relay cannot say; exit code 2 where a file there is not cnnir's.
    """
    from cnnir.backends.relay_text import save as write_relay

    write_relay(graph, Path(path))


def load_program(path: str | Path, threads: int | None = None, verify: bool = False) -> Program:
    """Open a compiled package without importing the compiler. Raises CnnirError. A package is code: trust its source.

    `verify` compares the weights with their hash too, which costs a second a GB; everything else is always compared.
    """
    from cnnir.backends.tvm.program import load as open_program

    return open_program(Path(path), threads, verify)


def _as_graph(graph: Graph | str | Path) -> Graph:
    return load(graph) if isinstance(graph, str | Path) else graph


def _measure(graph: Graph, target: str, exactness: Exactness, nan: Nan, training: bool) -> Optimized:
    """Everything moved that may move, or the network as written: whichever runs faster; a tie goes to the latter."""
    from cnnir.backends.tvm.measure import compare_speed
    from cnnir.backends.tvm.targets import parse_target

    written, moved = (optimize(graph, target, place, exactness, nan, training) for place in ("never", "always"))
    if not any(d.verdict == "moved" for d in moved.decisions):
        return written
    ratio = compare_speed(written.graph, moved.graph, parse_target(target))
    kept, word = (moved, "faster") if ratio.median < 1 else (written, "not faster")
    reason = f"measured: moved is {word}, {ratio}"
    return replace(kept, decisions=tuple(d if d.verdict == "refused" else replace(d, reason=reason) for d in kept.decisions))
