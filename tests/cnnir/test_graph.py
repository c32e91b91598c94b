"""The graph: building, rewriting, comparing and verifying."""

from __future__ import annotations

import time

import numpy as np
import pytest

from cnnir.diagnostics import CnnirError, OpError
from cnnir.ir.graph import Graph, Use, Value
from cnnir.ir.verify import verify
from cnnir.ir.weights import Seeded
from cnnir.ops.arithmetic import Sub
from cnnir.ops.base import Parameter
from cnnir.ops.convolution import Conv
from cnnir.ops.piecewise import Abs, Relu
from cnnir.ops.pooling import MaxPool
from cnnir.ops.tensor import Concat
from cnnir.types import TensorType, dtype_name, numpy_dtype

TYPE = TensorType("f32", (1, 2, 4, 4))


def chain() -> tuple[Graph, Value, Value, Value]:
    """x -> relu -> maxpool(2)."""
    graph = Graph("n")
    x = graph.add_input("x", TYPE)
    relu = graph.add(Relu(), [x])
    pool = graph.add(MaxPool((2, 2), (2, 2)), [relu])
    graph.results["output"] = pool
    return graph, x, relu, pool


def codes(graph: Graph) -> set[str]:
    with pytest.raises(CnnirError) as caught:
        verify(graph)
    return {d.code for d in caught.value.diagnostics}


def test_layers_are_typed_when_added() -> None:
    graph, x, relu, pool = chain()
    assert str(graph.type(pool)) == "f32[1, 2, 2, 2]"
    assert graph.inputs == {"x": TYPE} and list(graph.outputs) == ["output"]
    assert graph.uses(relu) == [Use(pool.layer, 0)] and graph.data(relu.layer) == [x]
    verify(graph)
    with pytest.raises(OpError, match="rank"):
        graph.add(MaxPool((2,), (2,), (0, 0), (1,)), [x])
    with pytest.raises(OpError):
        graph.add(Sub(), [x])
    with pytest.raises(ValueError, match="exists"):
        graph.add(Relu(), [x], name="relu")
    assert len(graph) == 3


def test_fresh_names_do_not_collide_and_stay_linear() -> None:
    graph, value, *_ = chain()
    for _ in range(3000):
        value = graph.add(Relu(), [value])
    assert len(graph) == 3003
    assert graph.fresh("relu") not in graph and graph.fresh("new") == "new"


def test_layers_come_after_what_they_read() -> None:
    graph, x, relu, pool = chain()
    late = graph.add(Abs(), [x])
    graph.connect(Use(relu.layer, 0), late)
    assert [layer.name for layer in graph.layers()] == ["x", "abs", "relu", "maxpool"]
    assert graph.descendants(late.layer) == {relu.layer, pool.layer}


def test_rewriting_keeps_slots() -> None:
    graph, x, relu, pool = chain()
    both = graph.add(Sub(), [x, x])
    graph.connect(Use(both.layer, 1), relu)
    assert graph.operands(both.layer) == [x, relu]
    graph.replace_uses(relu, x)
    assert graph.operands(both.layer) == [x, x] and graph.data(pool.layer) == [x]
    graph.remove(relu.layer)
    assert relu.layer not in graph
    with pytest.raises(ValueError, match="read"):
        graph.remove(x.layer)
    with pytest.raises(ValueError, match="read"):
        graph.remove(pool.layer)  # an output


def test_replacing_an_output_moves_the_output() -> None:
    graph, _, _, pool = chain()
    after = graph.add(Relu(), [pool])
    graph.results["output"] = after
    graph.replace_uses(after, pool)
    assert graph.results == {"output": pool} and graph.is_output(pool)


def test_outputs_are_known_both_ways() -> None:
    graph, x, relu, pool = chain()
    graph.results = {"a": pool, "b": relu, "c": pool}
    assert graph.results.names(pool) == ["a", "c"] and graph.results.names(x) == []
    del graph.results["a"]
    graph.results["c"] = relu
    assert graph.results == {"b": relu, "c": relu} and graph.results.names(relu) == ["b", "c"]
    assert not graph.is_output(pool) and graph.is_output(relu)
    graph.replace_uses(relu, pool)
    assert list(graph.results.items()) == [("b", pool), ("c", pool)]
    twin = graph.copy()
    twin.results["b"] = x
    assert graph.results["b"] == pool and not graph.is_output(x)


def test_a_hundred_thousand_outputs_and_readers_stay_linear() -> None:
    """A quadratic step takes minutes here."""
    begin = time.process_time()
    graph, x, *_ = chain()
    values = [graph.add(Relu(), [x]) for _ in range(20_000)]
    joined = graph.add(Concat(), [x] * 100_000)
    graph.results = {f"o{i}": v for i, v in enumerate([*values, *[joined] * 80_000])}
    after = graph.add(Abs(), [x])
    for value in values:
        assert graph.is_output(value)
        graph.replace_uses(value, after)
        graph.remove(value.layer)
    graph.replace_uses(joined, after)
    assert graph.results.names(after) == list(graph.results)
    other = graph.add_input("y", TYPE)
    graph.replace_uses(x, other)
    assert len(graph.uses(other)) == 100_002 and not graph.uses(x)
    assert time.process_time() - begin < 20


def test_a_copy_changes_alone() -> None:
    graph, x, relu, pool = chain()
    twin = graph.copy()
    twin.replace_uses(relu, x)
    twin.remove(relu.layer)
    assert graph.data(pool.layer) == [relu] and twin != graph


def test_equality_is_structure_and_weights_not_names() -> None:
    assert chain()[0] == chain()[0]
    renamed = Graph("other")
    value = renamed.add(Relu(), [renamed.add_input("x", TYPE)], name="anything")
    renamed.results["output"] = renamed.add(MaxPool((2, 2), (2, 2)), [value])
    assert renamed == chain()[0]
    for other in (("y", TYPE), ("x", TensorType("f32", (1, 3, 4, 4)))):
        graph = Graph()
        graph.results["output"] = graph.add(MaxPool((2, 2), (2, 2)), [graph.add(Relu(), [graph.add_input(*other)])])
        assert graph != renamed
    assert chain()[0] != object()


def test_equality_tells_operands_and_sharing_apart() -> None:
    def pair(swapped: bool, shared: bool) -> Graph:
        graph = Graph()
        x = graph.add_input("x", TYPE)
        a = graph.add(Relu(), [x])
        b = a if shared else graph.add(Relu(), [x])
        graph.results["output"] = graph.add(Sub(), [x, a] if swapped else [b, a])
        return graph

    assert pair(False, False) == pair(False, False)
    assert pair(False, False) != pair(False, True) and pair(False, True) != pair(False, False)
    assert pair(True, False) != pair(False, False)


def with_conv(key: str = "k", shape: tuple[int, ...] = (3, 2, 1, 1)) -> Graph:
    graph = Graph()
    graph.weights[key] = Seeded(key, Parameter(shape))
    graph.results["output"] = graph.add(Conv(3, (1, 1), bias=False), [graph.add_input("x", TYPE)], weights={"weight": key})
    return graph


def test_equality_of_seeded_weights_draws_nothing() -> None:
    a, b, other = with_conv(), with_conv(), with_conv("other")
    assert a == b and not a.weights.drawn
    assert a != other
    b.weights["k"] = a.weights["k"].copy()
    assert a == b
    b.weights["k"] = a.weights["k"] + 1
    assert a != b


def test_seeded_weights_depend_on_their_key_alone() -> None:
    drawn = with_conv().weights["k"]
    assert drawn.dtype == np.float32 and (drawn == with_conv().weights["k"]).all()
    assert (drawn != with_conv("l").weights["l"]).any()
    slopes = Seeded("s", Parameter((4,), "f32", "slope")).array()
    assert slopes.tolist() == [0.25] * 4
    near_one = Seeded("v", Parameter((999,), "f32", "around_one")).array()
    assert 0.5 <= near_one.min() < near_one.max() < 1.5
    he = Seeded("h", Parameter((200, 200), "f32", "he", 50)).array()
    assert abs(float(he.std()) - 0.2) < 0.01


def test_the_verifier_finds_what_is_wrong() -> None:
    graph, _, relu, pool = chain()
    graph.connect(Use(relu.layer, 0), pool)
    assert codes(graph) == {"C0302"}
    graph, _, relu, _ = chain()
    graph.retype(relu.layer, (TensorType("f32", (1, 2, 3, 3)),))
    assert codes(graph) == {"C0301"}
    graph = chain()[0]
    graph.results = {}
    assert codes(graph) == {"C0303"}
    graph.results = {"output": Value("gone")}
    assert codes(graph) == {"C0303"}
    verify(with_conv())
    assert codes(with_conv(shape=(4, 2, 1, 1))) == {"C0304"}
    graph = Graph()
    graph.results["output"] = graph.add(Conv(3, (1, 1)), [graph.add_input("x", TYPE)], weights={"weight": "k"})
    assert codes(graph) == {"C0301"}


def test_dtypes_have_names_and_numpy_equals() -> None:
    assert TensorType("bf16", (2,)).bytes == 4 and TensorType("bool", ()).elements == 1
    assert {dtype_name(numpy_dtype(n)) for n in ("f32", "i8", "bool")} == {"f32", "i8", "bool"}
    with pytest.raises(KeyError):
        numpy_dtype("f31")
