"""What is true of every network, whatever it is made of: each law takes a graph and raises where it is broken."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from hypothesis import strategies as st

import cnnir
from cnnir import pipeline
from cnnir.analysis.ranges import Ranges
from cnnir.backends.onnx_export import export
from cnnir.checker.ranges import Ranges as Checked
from cnnir.diagnostics import CnnirError
from cnnir.frontends.cnn.formatting import format_text
from cnnir.ir.graph import Graph, Value
from cnnir.ir.text import dumps
from cnnir.ir.verify import verify
from cnnir.ir.weights import Seeded
from cnnir.ops.base import Op
from cnnir.ops.opaque import Opaque
from cnnir.testing import assert_equivalent, feeds, graphs
from cnnir.testing.strategies import ANY_AXES, EVERY_OP
from cnnir.types import DTYPES

Array = np.ndarray[Any, Any]
MOST_FEEDS = 7


def networks(ops: tuple[type[Op], ...] = EVERY_OP, most: int = 8) -> st.SearchStrategy[Graph]:
    """Over every op, dtype and rank; f32 as often as all others together."""
    return graphs(axes=ANY_AXES, dtypes=(*["f32"] * len(DTYPES), *DTYPES), ops=ops, most=most)


def reads_back(graph: Graph) -> None:
    """Verified, printed, parsed: the same network, the same text, the same fingerprint; tidied too.

    Of a network whose text has other blocks than the one it was read from, values are called after layers as they were; read
    again, layers outside blocks are counted anew, and the text after that stays.
    """
    verify(graph)
    text = dumps(graph)
    again = cnnir.parse(text)
    verify(again)
    assert again == graph and again.name == graph.name and again.ranges == graph.ranges, text
    written = dumps(again)  # of `graph` itself, layers may have names that are not the language's
    settled = dumps(cnnir.parse(written))
    if settled != written:
        assert cnnir.parse(written) == cnnir.parse(settled) == graph, written
        assert _blocks(written) != _blocks(text), "text that keeps its blocks stays as it is"
        assert dumps(cnnir.parse(settled)) == settled, written
    assert again.fingerprint() == graph.fingerprint()
    tidy = format_text(text)
    assert format_text(tidy) == tidy
    assert cnnir.parse(tidy) == graph, tidy


def _blocks(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("block ")]


def is_saved(graph: Graph) -> None:
    """Text and weights in files give the network back, also where some weights are arrays."""
    held = graph.copy()
    held.weights = type(graph.weights)({key: graph.weights.source(key) for key in graph.weights})
    for key in [*held.weights][::2]:
        held.weights[key] = np.roll(held.weights[key], 1) if held.weights[key].ndim else held.weights[key].copy()
    with tempfile.TemporaryDirectory() as folder:
        for network in (graph, held):
            path = Path(folder) / "n.cnn"
            cnnir.save(network, path)
            again = cnnir.load(path)
            assert again == network
            assert again.fingerprint() == network.fingerprint() or network is held  # drawn weights are other bytes once stored


def variants() -> Iterator[tuple[str, pipeline.Pass]]:
    """Every registered pass with every value of those options that are words or switches, exact ones only."""
    for name in pipeline.PASSES:
        kinds = {n: h for n, h in typing.get_type_hints(type(pipeline.make(name))).items() if n in _fields(name)}
        choices = {n: typing.get_args(h) if typing.get_origin(h) is Literal else (False, True) for n, h in kinds.items() if _counts(h)}
        for values in itertools.product(*choices.values()):
            options: Mapping[str, object] = dict(zip(choices, values, strict=True))
            if options.get("exactness", "exact") == "exact":
                yield f"{name}{options}", pipeline.make(name, **options)


def _fields(name: str) -> set[str]:
    return {f.name for f in dataclasses.fields(typing.cast(Any, pipeline.make(name)))}


def _counts(hint: Any) -> bool:
    return hint is bool or typing.get_origin(hint) is Literal


def evaluable(graph: Graph) -> Graph:
    """The network without the outputs that nobody can compute."""
    unknown = {name for layer in graph.layers() if isinstance(layer.op, Opaque) for name in (layer.name, *graph.descendants(layer.name))}
    result = graph.copy()
    result.results = {name: value for name, value in graph.results.items() if value.layer not in unknown}
    for layer in reversed(list(result.layers())):
        if layer.name in unknown:
            result.remove(layer.name)
    return result


def answers_stay(graph: Graph) -> int:
    """Every pass leaves a sound network that gives the same bits; how many comparisons there were."""
    data = list(itertools.islice(feeds(graph), MOST_FEEDS))
    known, text, tried = evaluable(graph), dumps(graph), 0
    for name, each in variants():
        done = pipeline.run(graph, [each])  # verifies it, before and after
        written = dumps(done)
        if written == text:
            continue
        assert _reads_back(done, written), f"{name}\n{written}"
        if known.results:
            try:
                tried += assert_equivalent(known, evaluable(done), data=data)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}\n{written}") from error
    return tried


def _reads_back(graph: Graph, text: str) -> bool:
    """Whether its text is the network; with weights that do not come from their keys (a mask of channels) its files."""
    if all(isinstance(graph.weights.source(key), Seeded) for key in graph.weights):
        return cnnir.parse(text) == graph
    with tempfile.TemporaryDirectory() as folder:
        cnnir.save(graph, Path(folder) / "n.cnn")
        return cnnir.load(Path(folder) / "n.cnn") == graph  # while the files are there: weights are read when they are asked for


def stays_in_range(graph: Graph) -> None:
    """What is computed from finite data is typed as inferred and lies in the range that the facts give it, and in the checker's."""
    known = evaluable(graph)
    everything = {f"{v.layer} {v.slot}": v for layer in known.layers() for v in known.values(layer.name)}
    known.results = everything
    ranges, checked, text = Ranges(known), Checked(known), dumps(graph)
    for feed in itertools.islice(feeds(graph), MOST_FEEDS):
        with np.errstate(all="ignore"):
            found = cnnir.evaluate(known, feed) if everything else {}
        wide = {name: array.astype(np.float64) for name, array in found.items()}
        finite = all(np.isfinite(array).all() for array in wide.values())
        for name, value in everything.items():
            assert (found[name].shape, found[name].dtype) == (known.type(value).shape, known.type(value).numpy), name
            if known.type(value).is_float and finite and wide[name].size:
                _inside(ranges, value, wide[name], text)
                _inside_checked(checked, value, wide[name], text)


def _inside(ranges: Ranges, value: Value, array: Array, text: str) -> None:
    known = ranges[value]
    assert known.lo <= array.min() and array.max() <= known.hi, f"{value} is {array.min()} to {array.max()}, not in {known}\n{text}"
    signed = bool(((array == 0) & np.signbit(array)).any())
    assert known.minus_zero or not signed, f"{value} has a -0, {known}\n{text}"


def _inside_checked(checked: Checked, value: Value, array: Array, text: str) -> None:
    lo, hi = checked[value]
    where = f"{value} is {array.min()} to {array.max()}, by the checker {lo} to {hi}\n{text}"
    assert lo <= array.min() and array.max() <= hi, where
    assert checked.may_be_minus_zero(value) or not ((array == 0) & np.signbit(array)).any(), f"{value} has a -0\n{text}"


def exports(graph: Graph) -> bool:
    """An ONNX model that ONNX itself takes, or a diagnostic; whether it was a model."""
    try:
        model = export(graph)
    except CnnirError:
        return False
    onnx.checker.check_model(model, full_check=True)
    return True
