"""What a network declares of its inputs, and where its weights may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnir.diagnostics import CnnirError
from cnnir.frontends import cnn


@pytest.mark.parametrize(
    ("type", "range", "at"),
    [
        ("f32", "[-inf, inf]", "-inf"),
        ("f32", "[0, inf]", "inf"),
        ("f32", "[-1e308, 1e308]", "-1e308"),
        ("f16", "[0, 65505]", "65505"),
        ("i8", "[-1000, 100]", "-1000"),
        ("i8", "[0, 128]", "128"),
        ("u8", "[-1, 1]", "-1"),
        ("bool", "[0, 2]", "2"),
    ],
)
def test_a_range_lies_within_the_element_type(type: str, range: str, at: str) -> None:
    with pytest.raises(CnnirError) as caught:
        cnn.parse(f"network n(x: {type}[1, 8] in {range}) {{ x -> abs }}")
    (found,) = caught.value.diagnostics
    assert (found.code, found.labels[0].span.text) == ("C0309", at)


@pytest.mark.parametrize(("type", "range"), [("f64", "[-1e308, 1e308]"), ("f16", "[0, 65504]"), ("i8", "[-128, 127]"), ("bool", "[0, 1]")])
def test_the_whole_element_type_is_a_range(type: str, range: str) -> None:
    assert cnn.parse(f"network n(x: {type}[1, 8] in {range}) {{ x }}").ranges["x"] is not None


def test_weights_that_cannot_be_reached_are_refused(tmp_path: Path) -> None:
    (tmp_path / "loop.safetensors").symlink_to("loop.safetensors")
    for name in ("loop.safetensors", "a" * 300 + ".safetensors"):
        (tmp_path / "n.cnn").write_text(f'weights "{name}"\nnetwork n(x: f32[1, 8]) {{ x -> fc(2) }}\n')
        with pytest.raises(CnnirError) as caught:
            cnn.load(tmp_path / "n.cnn")
        assert caught.value.diagnostics[0].code == "C0401"


@pytest.mark.parametrize(
    ("text", "code", "at", "help"),
    [
        ("network n(x: f32[1, 8]) { x -> RELU }", "C0211", "RELU", "did you mean `relu`?"),
        ("network n(x: F32[1, 8]) { x -> relu }", "C0218", "F32[1, 8]", "did you mean `f32`?"),
        ("block f(a, a) = fc(a)\nnetwork n(x: f32[1, 8]) { x -> relu }", "C0306", "a", None),
        (f"network n(x: f32[{', '.join('1' * 65)}]) {{ x }}", "C0210", f"f32[{', '.join('1' * 65)}]", None),
        (
            "network n(x: f32[1, 8, 9, 9]) { x -> maxpool(2, pad=2) }",
            "C0208",
            "maxpool(2, pad=2)",
            "use a smaller pad: less than the kernel",
        ),
        ('network n(x: f32[1, 8]) { x -> fc(2, name="") }', "C0306", 'name=""', None),
    ],
)
def test_small_mistakes_are_named_where_they_are(text: str, code: str, at: str, help: str | None) -> None:
    with pytest.raises(CnnirError) as caught:
        cnn.parse(text)
    (found,) = caught.value.diagnostics
    assert (found.code, found.labels[0].span.text) == (code, at) and found.help == help
