"""Arithmetic signs between tensors."""

from __future__ import annotations

import time

import pytest

import cnnir

HEAD = "network n(x: f32[1, 2, 4, 4], y: f32[1, 2, 4, 4]) "


@pytest.mark.parametrize(("written", "meant"), [
    ("x + y", "add(x, y)"), ("x - y", "sub(x, y)"), ("x * y", "mul(x, y)"), ("x / y", "div(x, y)"),
    ("x + 1", "add(x, 1)"), ("1 - x", "sub(1, x)"), ("2 / x", "div(2, x)"), ("-x", "neg(x)"), ("--x", "neg(neg(x))"), ("-x * y", "mul(neg(x), y)"),
    ("x + y * x", "add(x, mul(y, x))"), ("(x + y) * x", "mul(add(x, y), x)"), ("x - y - x", "sub(sub(x, y), x)"), ("x / y * x", "mul(div(x, y), x)"),
    ("x - (y - x)", "sub(x, sub(y, x))"), ("1 + 2 + x", "add(3, x)"), ("x + 1 / 4", "add(x, 0.25)"), ("x + 1 + 2", "add(add(x, 1), 2)"),
    ("-(x + y)", "neg(add(x, y))"), ("-2 * x", "mul(-2, x)"), ("relu(x) + (y -> tanh)", "add(relu(x), tanh(y))"),
    ("relu(x + y)", "relu(add(x, y))"), ("concat(x + 1, -y)", "concat(add(x, 1), neg(y))"), ("x + y -> relu", "relu(add(x, y))"),
    ("a = x + y; return r = a * a, -a", "a = add(x, y); return r = mul(a, a), neg(a)"),
])  # fmt: skip
def test_signs_are_layers(written: str, meant: str) -> None:
    found, wanted = (cnnir.parse(f"{HEAD}{{ {body} }}") for body in (written, meant))
    assert [(layer.op, found.operands(layer.name)) for layer in found.layers()] == [
        (layer.op, wanted.operands(layer.name)) for layer in wanted.layers()
    ]
    assert cnnir.parse(cnnir.dumps(found)) == found


def test_blocks_have_them_too_and_sizes_stay_numbers() -> None:
    text = "block residual(c) { y = in -> conv(2 * c, 3, pad=1 + 0)\n in * c + y }\n" + HEAD + "{ x -> residual(1) -> relu }"
    graph = cnnir.parse(text)
    assert [layer.op.name for layer in graph.layers()] == ["input", "input", "conv", "mul", "add", "relu"]
    assert graph["residual1/add1"].origin.span and graph["residual1/add1"].origin.span.text == "in * c + y"


def test_long_sums_take_linear_time() -> None:
    def seconds(terms: int) -> float:
        text = f"{HEAD}{{ {' + '.join(['x'] * terms)} }}"
        start = time.perf_counter()
        assert len(cnnir.parse(text)) == terms + 1
        return time.perf_counter() - start

    seconds(100)
    assert seconds(8000) < 40 * seconds(800) + 0.5


def test_a_row_of_minus_signs_ends_in_a_diagnostic() -> None:
    with pytest.raises(cnnir.CnnirError) as caught:
        cnnir.parse(f"{HEAD}{{ {'-' * 200_001}x }}")
    assert caught.value.diagnostics[0].code == "C0105"
