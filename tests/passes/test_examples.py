"""The networks people know: what they are according to their papers, and what placement decides about them."""

from __future__ import annotations

import math
import time
from collections import Counter
from pathlib import Path

import pytest

import cnnir
from cnnir.decisions import Optimized
from cnnir.feeds import random_feeds
from cnnir.ir.graph import Graph
from cnnir.passes.place import place
from cnnir.passes.terms import Exactness
from cnnir.testing import assert_equivalent
from cnnir.work import macs

KNOWN = {
    "squeezenet": (1_235_496, 349_151_936),
    "googlenet": (6_998_552, 1_582_671_872),
    "densenet121": (8_062_504, 2_834_161_664),
    "resnet50": (25_610_152, 4_089_184_256),
    "vgg19": (143_667_240, 19_632_062_464),
}
"""Name -> weights, running means and variances included, and multiplications of one run."""


@pytest.mark.parametrize("name", KNOWN)
def test_they_are_the_published_networks(name: str, examples: Path) -> None:
    graph = cnnir.load(examples / f"{name}.cnn")
    weights = {key for layer in graph.layers() for _, key in layer.weights}
    assert (sum(math.prod(graph.weights.shape(key)) for key in weights), macs(graph)) == KNOWN[name]
    assert [t.shape for t in graph.outputs.values()] == [(1, 1000)]
    assert not graph.weights.drawn


def decided(graph: Graph, exactness: Exactness) -> tuple[Optimized, Counter[tuple[str, str, str]]]:
    """What is decided, counted by law, verdict and condition."""
    done = place(graph, "always", exactness)
    return done, Counter((d.law, d.verdict, d.condition) for d in done.decisions)


def test_squeezenet_opens_its_fire_modules(examples: Path) -> None:
    graph = cnnir.load(examples / "squeezenet.cnn")
    done, counts = decided(graph, "exact")
    assert counts == {("up", "moved", ""): 5, ("concat", "moved", ""): 2, ("affine", "refused", "affine"): 1}
    assert not graph.weights.drawn and macs(done.graph) == macs(graph)


def test_googlenet_opens_its_inception_modules(examples: Path) -> None:
    graph = cnnir.load(examples / "googlenet.cnn")
    _, counts = decided(graph, "exact")
    assert counts == {
        ("up", "moved", ""): 9,  # one at the top, the four relus of two modules
        ("concat", "moved", ""): 2,
        ("up", "refused", "elementwise"): 1,  # LRN in front of a pool
        ("concat", "refused", "private"): 8,  # the pool inside a module is one of four that read the module before
        ("cascade", "refused", "private"): 1,
        ("concat", "refused", "opens something"): 1,  # the last pool averages
    }
    assert not graph.weights.drawn


def test_densenet_averages_before_its_transitions_convolve(examples: Path) -> None:
    graph = cnnir.load(examples / "densenet121.cnn")
    done, counts = decided(graph, "ulp")
    assert counts == {("up", "moved", ""): 1, ("pointwise", "moved", ""): 3, ("affine", "refused", "affine"): 4}
    assert macs(graph) - macs(done.graph) == 231_211_008
    for decision in done.decisions:
        assert decision.law != "pointwise" or (decision.certificate and decision.certificate.growth)
    assert place(graph, "auto", "ulp").graph == done.graph, "each of them pays"


def test_without_leave_to_round_densenet_keeps_its_order_and_its_weights_unread(examples: Path) -> None:
    graph = cnnir.load(examples / "densenet121.cnn")
    done, counts = decided(graph, "exact")
    assert counts == {("up", "moved", ""): 1, ("pointwise", "refused", "exact enough"): 3, ("affine", "refused", "affine"): 1}
    assert {key.rsplit("/", 1)[-1].split(".")[0] for key in graph.weights.drawn} <= {"batchnorm1", "batchnorm2"}, "no convolution's"
    assert macs(done.graph) == macs(graph)


def test_residual_networks_have_one_pool(examples: Path) -> None:
    _, counts = decided(cnnir.load(examples / "resnet50.cnn"), "ulp")
    assert counts == {("up", "moved", ""): 1, ("affine", "refused", "affine"): 1}


@pytest.mark.parametrize(("name", "seconds"), [("vgg19", 0.5), ("densenet121", 2.0), ("googlenet", 1.0), ("resnet50", 1.0)])
def test_deciding_takes_little_time(name: str, seconds: float, examples: Path) -> None:
    start = time.process_time()
    place(cnnir.load(examples / f"{name}.cnn"), "always", "ulp")
    assert time.process_time() - start < seconds


@pytest.mark.parametrize("name", ["squeezenet", "googlenet"])
def test_small_ones_answer_the_same(name: str, examples: Path) -> None:
    text = (examples / f"{name}.cnn").read_text("utf-8").replace("224, 224", "47, 47").replace("avgpool(7)", "global_avgpool")
    graph = cnnir.parse(text)
    done = place(graph, "always")
    assert sum(d.verdict == "moved" for d in done.decisions) >= 7
    assert_equivalent(graph, done.graph, data=[random_feeds(graph.inputs, graph.ranges)])


def test_a_decision_is_said_once(examples: Path) -> None:
    for name in KNOWN:
        done = place(cnnir.load(examples / f"{name}.cnn"), "always", "ulp")
        lines = [f"{d.site}: {d.reason}" for d in done.decisions]
        assert len(lines) == len({*lines})
