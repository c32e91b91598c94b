"""The page of `make bench`: what a race says, as lines of its table."""

from __future__ import annotations

from typing import Any

from cnnir.testing.speed import OURS, rows


def test_a_line_a_contestant_with_ratios_to_the_fastest_other() -> None:
    def standing(*rounds: float) -> dict[str, Any]:
        return {"median": sorted(rounds)[len(rounds) // 2], "rounds": list(rounds)}

    document = {
        "contestants": [{"name": n} for n in ("pool apart", "fused", OURS, "onnxruntime", "ncnn")],
        "refused": {"mnn": "outputs disagree"},
        "race": {
            "standings": {
                "pool apart": standing(9.0, 9.0, 9.0), "fused": standing(5.0, 5.0, 5.0), OURS: standing(2.0, 1.0, 3.0),
                "onnxruntime": standing(8.0, 8.0, 8.0), "ncnn": standing(4.0, 4.0, 4.0),
            }
        },
    }  # fmt: skip
    ours, slower, fastest, refused = rows("vgg16", 8, document)
    assert ours.startswith(f"| vgg16 | 8 | {OURS} | 2000.00 | x0.500 (") and "n = 3" in ours
    assert slower.startswith("| vgg16 | 8 | onnxruntime | 8000.00 | x2.000 (")
    assert fastest == "| vgg16 | 8 | ncnn | 4000.00 | 1 |"
    assert refused == "| vgg16 | 8 | mnn | | outputs disagree |"
