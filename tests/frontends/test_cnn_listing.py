"""`weights n { ... }`: names and keys beside the network, one line a layer."""

from __future__ import annotations

import pytest

import cnnir
from cnnir.diagnostics import CnnirError
from cnnir.frontends.cnn.formatting import format_text

BODY = "network n(x: f32[1, 3, 8, 8]) { x -> conv(4, 3) -> relu -> batchnorm -> [conv(4, 1)]*2 }\n"
LISTING = """weights n {
    first: a, b
    "x/y"
    relu1: "features.0.weight", c
    last: a2, b2,
}
"""


def test_layers_take_their_names_and_keys_in_order() -> None:
    graph = cnnir.parse(BODY + LISTING)
    keys = {layer.name: [key for _, key in layer.weights] for layer in graph.layers() if layer.weights}
    assert keys == {
        "first": ["a", "b"],
        "x/y": ["x/y.scale", "x/y.bias", "x/y.mean", "x/y.variance"],
        "relu1": ["features.0.weight", "c"],
        "last": ["a2", "b2"],
    }
    assert "relu2" in graph  # what has no weights steps aside


def test_a_listing_is_about_one_network() -> None:
    other = "network m(x: f32[1, 3, 8, 8]) { x -> conv(4, 3) }\n"
    assert "first" in cnnir.parse(other + LISTING + BODY)
    assert "conv1" in cnnir.parse(BODY + LISTING + other)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("    last: a2, b2,\n", "", "C0310"),
        ("last: a2, b2,", "last: a2, b2\n    more", "C0310"),
        ("last: a2, b2,", "last: a2", "C0310"),
        ("last", "first", "C0306"),
        ("last", "x", "C0306"),
        ("weights n", "weights m", "C0307"),
        ("conv(4, 3)", 'conv(4, 3, weight="k")', "C0216"),
        ("conv(4, 3)", 'conv(4, 3, name="k")', "C0216"),
        ("relu1: ", "relu1 ", "C0101"),
        ("a, b", "a, 3", "C0101"),
        ("a, b", "a, first", ""),
        ("first: a, b", "first: a2, b2", "C0304"),
    ],
)
def test_what_does_not_match_is_refused(old: str, new: str, code: str) -> None:
    text = (BODY + LISTING).replace(old, new, 1)
    assert text != BODY + LISTING
    if not code:
        cnnir.parse(text)
        return
    with pytest.raises(CnnirError) as caught:
        cnnir.parse(text)
    assert [d.code for d in caught.value.diagnostics] == [code]


def test_a_network_is_listed_once() -> None:
    with pytest.raises(CnnirError, match="listed twice"):
        cnnir.parse(BODY + LISTING + LISTING)


def test_an_empty_listing_fits_a_network_without_weights() -> None:
    assert "relu1" in cnnir.parse("network n(x: f32[1, 8]) { x -> relu }\nweights n {}\n")


def test_the_formatter_keeps_it_tidy() -> None:
    untidy = BODY + 'weights   n{first :a,b ; "x/y"  # two\n\n# why\n  relu1:"features.0.weight",  c\n\n\nlast  : a2 , b2 ,}'
    done = format_text(untidy)
    assert done.splitlines()[1:] == [
        "weights n {",
        "    first: a, b",
        '    "x/y"  # two',
        "",
        "    # why",
        '    relu1: "features.0.weight", c',
        "",
        "    last: a2, b2,",
        "}",
    ]
    assert format_text(done) == done
    assert cnnir.parse(done) == cnnir.parse(BODY + LISTING)
