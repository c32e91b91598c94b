"""Names that a printer gets wrong: keywords, types, ops, quotes, escapes, what nobody can see."""

from __future__ import annotations

from hypothesis import strategies as st

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)
_KNOWN = [
    "x", "y", "n", "in", "none", "return", "network", "block", "activation", "weights", "output", "outputs", "name", "on", "off", "inf",
    "f32", "bool", "relu", "conv", "conv1", "relu_2", "depthwise", "input", "select", "axis", "same", "a b", "x/0:1", "a/relu1", "a.b", "1",
    "-", '"', "\\", "\\u{41}", "k\n\u202e", "é", "#", "->", "[x]*2", "€" * 40,
]  # fmt: skip
NAMES = st.one_of(st.sampled_from(_KNOWN), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8))
"""Names of networks, inputs, layers, outputs, weights and activations."""
