"""Tuning kernels without a template: what is kept, used again, and never changes a bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import cnnir
from cnnir.backends.tvm.compile import planned
from cnnir.backends.tvm.plan import Buffer
from cnnir.backends.tvm.targets import parse_target
from cnnir.backends.tvm.tuning.kernels import tunable
from cnnir.backends.tvm.tuning.measure import same_bits, values
from cnnir.backends.tvm.tuning.records import Records
from cnnir.backends.tvm.tuning.space import TILES, designs
from cnnir.diagnostics import CnnirError, CnnirWarning
from cnnir.feeds import random_feeds

NET = "network n(x: f32[1, 4, 6, 12, 12]) { x -> conv(8, 3, pad=1) -> relu -> conv(8, 3, pad=1) -> relu -> conv(8, 3, pad=1) -> relu }"


def test_records_are_kept_used_again_and_change_no_bit(cache: Path) -> None:
    net = cnnir.parse(NET)
    found = cnnir.tune(net, trials=4, threads=1)
    assert [one.new for one in found] == [True, True], "the second and the third convolution are one kernel"
    assert all(0 < one.record.trials <= 4 for one in found)
    assert found[1].record.layers == ("conv2", "relu2", "conv3", "relu3")
    assert any(one.record.trace is not None for one in found), "a serial nest of loops is not the best there is"
    assert len(list((cache / "tuning").iterdir())) == 2
    again = cnnir.tune(net, trials=4, threads=1)
    assert [one.new for one in again] == [False, False] and [one.record for one in again] == [one.record for one in found]
    feeds = random_feeds(net.inputs, net.ranges)
    plain, tuned = cnnir.compile(net, threads=1), cnnir.compile(net, threads=1, tuned=True)
    assert same_bits(plain(feeds)["output"], tuned(feeds)["output"])


def test_a_record_is_for_one_target_and_in_one_folder(tmp_path: Path) -> None:
    net = cnnir.parse(NET)
    plan, _ = planned(net, parse_target("llvm"))
    cnnir.tune(net, trials=1, threads=1, records=tmp_path / "records")
    (path, other) = sorted((tmp_path / "records").iterdir())
    function = tunable(plan)[0].function
    target = json.loads(path.read_text())["target"]
    assert Records(target, tmp_path / "records").lookup(function) is not None
    assert Records("llvm -mcpu=another", tmp_path / "records").lookup(function) is None
    with pytest.warns(CnnirWarning, match="C0519"):
        cnnir.compile(net, tuned=True)  # the cache has none
    for one in (path, other):
        one.write_text("{")
    with pytest.warns(CnnirWarning, match="C0516"):
        assert Records(target, tmp_path / "records").lookup(function) is None


def test_no_sketch_reorders_a_sum() -> None:
    assert TILES.count("R") == 1, "two levels of the reduction would add up the inner parts of several loops first"
    plan, _ = planned(cnnir.parse(NET), parse_target("llvm"))
    for sketch in designs(tunable(plan)[0].function, 2):
        assert "rfactor" not in str(sketch) and "decompose_reduction" not in str(sketch)


def test_data_on_which_another_order_of_a_sum_shows() -> None:
    wide = values(Buffer("x", (4096,)), 1)
    assert not same_bits(np.cumsum(wide)[-1:], np.cumsum(wide[::-1])[-1:])
    assert same_bits(np.array([np.nan, 0.0]), np.array([-np.nan, 0.0])) and not same_bits(np.array([0.0]), np.array([-0.0]))


def test_what_cannot_be_tuned(tmp_path: Path) -> None:
    net = cnnir.parse(NET)
    with pytest.raises(CnnirError, match="C0509") as cuda:
        cnnir.tune(net, "cuda")
    with pytest.raises(CnnirError, match="C0509"):
        cnnir.compile(net, "cuda", tuned=True)
    with pytest.raises(CnnirError, match="C0401"):
        cnnir.compile(net, tuned=tmp_path / "nowhere")
    (tmp_path / "taken").touch()
    with pytest.raises(CnnirError, match="C0501"):
        cnnir.tune(net, records=tmp_path / "taken")
    assert cuda.value.exit_code == 2
    assert cnnir.tune(cnnir.parse("network n(x: f32[1, 3, 8, 8]) { x -> conv(4, 3) -> relu -> maxpool(2) }")) == []
