"""Certificates: complete, and the same after a round trip through JSON."""

from __future__ import annotations

import json

import pytest

import cnnir
from cnnir.certificates import Certificate, ChannelFacts
from cnnir.passes.place import place

NETWORKS = {
    "up": ("x -> relu -> maxpool(2)", "exact"),
    "down": ("x -> neg -> sigmoid -> maxpool(2)", "exact"),
    "valley": ("x -> abs -> maxpool(2)", "exact"),
    "channel": ("x -> scale -> maxpool(2)", "exact"),
    "affine": ("x -> mul(2) -> add(1) -> avgpool(2)", "ulp"),
    "pointwise": ("x -> conv(3, 1) -> avgpool(2)", "ulp"),
    "concat": ("concat(x -> relu, x) -> maxpool(2)", "exact"),
}


def certificate(law: str) -> Certificate:
    body, exactness = NETWORKS[law]
    graph = cnnir.parse(f"network n(x: f32[1, 9, 6, 6] in [-1, 1]) {{ {body} }}")
    found = place(graph, "always", exactness).decisions[0].certificate  # type: ignore[arg-type]
    assert found is not None and found.law == law
    return found


@pytest.mark.parametrize("law", NETWORKS)
def test_round_trip(law: str) -> None:
    found = certificate(law)
    text = json.dumps(found.to_json(), allow_nan=False)
    assert Certificate.from_json(json.loads(text)) == found
    assert found.pool and found.region and found.dtype == "f32" and found.conditions


def test_infinities_go_through_json() -> None:
    facts = ChannelFacts((1, 3), "valley", "U", (-float("inf"), 1.0), turn=(0.0, float("inf")), range=(0.0, float("inf")), bound=None)
    found = Certificate("valley", {}, (), "U", records=(facts,))
    assert Certificate.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found


def test_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="certificate/1"):
        Certificate.from_json({**certificate("up").to_json(), "schema": "cnnir.certificate/9"})


def test_it_says_where_its_facts_come_from() -> None:
    (anywhere,) = certificate("up").records
    assert anywhere.source == "every finite number" and anywhere.data[1] > 3e38 and anywhere.channels == ()
    graph = cnnir.parse("network n(x: f32[1, 2, 6, 6] in [1, 2]) { x -> square -> maxpool(2) }")
    (decision,) = place(graph, "always").decisions
    assert decision.certificate
    (ranged,) = decision.certificate.records
    assert (ranged.source, ranged.data, ranged.direction) == ("the ranges of the network's inputs", (1.0, 2.0), "up")


def test_groups_of_channels_cover_every_channel_once() -> None:
    records = certificate("channel").records
    assert sorted(channel for record in records for channel in record.channels) == list(range(9))
    assert {record.direction for record in records} == {"up", "down"}


def test_a_valley_says_where_it_turns() -> None:
    (record,) = certificate("valley").records
    assert record.direction == "valley" and record.turn == (0.0, 0.0)
