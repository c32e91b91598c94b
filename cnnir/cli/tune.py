"""cnnc tune: schedules for kernels that no template makes; what is fastest is kept, and compiled with --tuned."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .console import console, conv_option, emit_json, json_option, load_model, model_argument, place_option, progress, table, threads_option

if TYPE_CHECKING:
    from cnnir.backends.tvm.tuning.tune import Tuned


@click.command()
@model_argument
@click.option("--target", default="llvm", show_default=True, help="llvm or 'llvm -mcpu=haswell'; this machine must be able to run it.")
@click.option("--trials", type=click.IntRange(1), default=64, show_default=True, help="Schedules to try for each kernel.")
@threads_option
@place_option("auto")
@conv_option
@click.option("-o", "--output", default=None, metavar="RECORDS", help="Keep records in this folder.  [default: the cache]")
@click.option("--again", is_flag=True, help="Tune what has a record once more.")
@json_option
def command(
    model: str, target: str, trials: int, threads: int | None, place: str, conv: str, output: str | None, again: bool, as_json: bool
) -> None:
    """Try schedules for the kernels of MODEL that no template makes, and keep the fastest of each.

    \b
    Example:
      cnnc tune model.onnx
      cnnc compile model.onnx --tuned -o model.cnnpkg
      cnnc tune model.onnx --trials 200 -o records       a folder to take along
      cnnc compile model.onnx --records records -o model.cnnpkg

    Schedules are drawn by the rules of TVM's meta schedule that leave every sum in its order. Each is run on random and adversarial
    data, and one that changes a bit of the answer is dropped. Records are for one CPU and version of TVM.
    """
    import cnnir

    graph = load_model(model)
    with _bars(trials) as begin:
        found = cnnir.tune(
            graph, target, trials=trials, threads=threads, records=output, place=place, conv=conv, again=again, progress=begin  # type: ignore[arg-type]  # click checked the choice
        )  # fmt: skip
    if as_json:
        emit_json("tune", {"kernels": [_document(one) for one in found]})
    else:
        _show(found)


@contextmanager
def _bars(trials: int) -> Generator[Callable[[str], Callable[[int], None]], None, None]:
    """One progress bar at a time: that of a kernel goes when the next begins."""
    with ExitStack() as shown:

        def begin(layers: str) -> Callable[[int], None]:
            shown.close()
            return shown.enter_context(progress(f"tuning {layers}", trials))

        yield begin


def _show(found: Sequence[Tuned]) -> None:
    if not found:
        console().print("nothing to tune: every kernel has a template, or does too little work")
        return
    rows = [(*_cells(one), "" if one.new else "kept before") for one in found]
    columns = ["layers", "before, us", "after, us", "ratio", "trials", "dropped", ""]
    console().print(table(columns, rows, right=(1, 2, 3, 4, 5)))
    new = sum(one.new for one in found)
    trials = sum(one.record.trials for one in found if one.new)
    console().print(f"{new} of {len(found)} kernels tuned now, in {trials} trials; for {found[0].record.target}")


def _cells(one: Tuned) -> list[str]:
    record = one.record
    after = f"{record.after * 1e6:.1f}" if record.trace is not None else "as it was"
    names = " ".join(record.layers[:4]) + (" ..." if len(record.layers) > 4 else "")
    return [names, f"{record.before * 1e6:.1f}", after, f"{record.after / record.before:.3f}", str(record.trials), str(record.rejected)]


def _document(one: Tuned) -> dict[str, object]:
    document = asdict(one.record)
    scheduled = document.pop("trace") is not None
    return {**document, "scheduled": scheduled, "new": one.new}
