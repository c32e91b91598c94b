"""Casts and quantization against numbers worked by hand, and every dtype as storage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnnir
from cnnir.diagnostics import OpError
from cnnir.ops.arithmetic import Add
from cnnir.ops.convert import Cast, Dequantize, Quantize
from cnnir.ops.pooling import MaxPool
from cnnir.types import DTYPES, TensorType, dtype_name, numpy_dtype


def values(op: Any, x: Any, dtype: str = "f32") -> list[Any]:
    given = np.asarray(x, numpy_dtype(dtype))
    (declared,) = op.infer([TensorType(dtype, given.shape)])
    (found,) = op.evaluate([given], {})
    assert found.dtype == declared.numpy and found.shape == declared.shape
    return found.tolist()


def test_quantize_rounds_halves_to_even_and_saturates() -> None:
    assert values(Quantize(2.0), [1, 3, 5, 7, -1, 600]) == [0, 2, 2, 4, 0, 255]
    assert values(Quantize(2.0, 10), [1, 3, 5, -19, -30]) == [10, 12, 12, 0, 0]
    assert values(Quantize(0.5, -3, to="i8"), [0, 1, 63.7, -1000]) == [-3, -1, 124, -128]
    assert values(Quantize((1.0, 2.0), (0, 1)), [[4, 4]]) == [[4, 3]]
    assert values(Quantize((1.0, 2.0), 5, axis=0), [[4], [4]]) == [[9], [7]]


def test_dequantize_is_its_inverse_on_the_grid() -> None:
    assert values(Dequantize(0.5, 3), [0, 3, 255], "u8") == [-1.5, 0.0, 126.0]
    assert values(Dequantize((0.5, 2.0), (1, -1)), [[3, 3]], "i8") == [[1.0, 8.0]]
    every = np.arange(256)
    assert values(Quantize(0.25, 7), values(Dequantize(0.25, 7), every, "u8")) == every.tolist()


def test_casts() -> None:
    assert values(Cast("i32"), [-1.9, 1.9, 7]) == [-1, 1, 7]
    assert values(Cast("bool"), [0.0, -0.0, 0.5]) == [False, False, True]
    assert values(Cast("f32"), [True, False], "bool") == [1.0, 0.0]
    assert values(Cast("u8"), [257, -1], "i32") == [1, 255]
    assert values(Cast("f8e4m3"), [1.0, 1.06, 448.0]) == [1.0, 1.0, 448.0]
    assert values(Cast("bf16"), [1.0, 1.001]) == [1.0, 1.0]


@pytest.mark.parametrize("source", ["f16", "bf16", "f32", "f64"])
def test_floats_become_the_nearest_integer_there_is(source: str) -> None:
    edges = [0, -0.0, 0.5, -0.5, -1, -2.7, 127.5, 128, -129, 255.9, 256, 7e4, 2.0**31, -(2.0**31), 2.0**63, 1e30, -1e30]
    with np.errstate(all="ignore"):
        data = np.asarray([*edges, np.inf, -np.inf, np.nan]).astype(numpy_dtype(source))
    names = ["u8", "i8", "u16", "i16", "i32", "u32", "i64", "u64"]
    casts = "".join(f"{to} = x -> cast({to})\n" for to in names)
    graph = cnnir.parse(f"network n(x: {source}[{len(data)}]) {{\n{casts}return {', '.join(names)}\n}}")
    answers = cnnir.evaluate(graph, {"x": data}), cnnir.compile(graph, threads=1)({"x": data})
    for to in names:
        limits = np.iinfo(numpy_dtype(to))
        wanted = [
            0 if v != v else limits.max if v > limits.max else limits.min if v < limits.min else int(v) for v in data.astype(float).tolist()
        ]
        assert [answer[to].tolist() for answer in answers] == [wanted, wanted], to


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_has_one_name_and_is_cast_to_and_from(name: str) -> None:
    assert dtype_name(numpy_dtype(name)) == name
    assert values(Cast("f32"), values(Cast(name), [0, 1]), name) == [0.0, 1.0]  # type: ignore[arg-type]  # one of DTYPES


@pytest.mark.parametrize("name", ["f8e4m3", "f8e5m2", "bool"])
def test_what_is_only_stored_is_not_computed_with(name: str) -> None:
    t = TensorType(name, (1, 2, 4, 4))
    for op, inputs in ((Add(), [t, t]), (MaxPool((2, 2), (2, 2)), [t])):
        with pytest.raises(OpError, match="does not compute"):
            op.infer(inputs)


@pytest.mark.parametrize("make", [
    lambda: Quantize(0.0), lambda: Quantize(-1.0), lambda: Quantize(float("inf")), lambda: Quantize(1.0, 256), lambda: Quantize(1.0, (1, 2)),
    lambda: Quantize((1.0, 2.0, 3.0)), lambda: Quantize((1.0, 2.0), axis=7), lambda: Dequantize(1.0),
])  # fmt: skip
def test_what_does_not_fit_is_refused(make: Any) -> None:
    with pytest.raises(OpError):
        make().infer([TensorType("f32", (1, 2))])
