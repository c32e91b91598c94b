"""ONNX's own tests of operators: what they expect is what comes out, by the reference and compiled, moved or not."""

from __future__ import annotations

import pytest

from cnnir.testing import onnx_nodes
from cnnir.testing.onnx_nodes import FAMILIES, NO_TYPE, Case, Outcome, Run

NAMED = {operator for family in FAMILIES.values() for operator in family}
SAMPLE = (
    "test_conv_with_strides_and_asymmetric_padding", "test_convtranspose_group_2", "test_maxpool_2d_ceil", "test_averagepool_2d_pads_count_include_pad",
    "test_lppool_2d_dilations", "test_maxpool_with_argmax_2d_precomputed_strides", "test_gemm_all_attributes", "test_prelu_broadcast",
    "test_clip_inbounds", "test_gelu_tanh_1", "test_batchnorm_epsilon", "test_l2normalization_axis_0", "test_div_uint64", "test_pow_types_float32_int64",
    "test_reduce_log_sum_exp_keepdims_random", "test_resize_upsample_scales_cubic", "test_edge_pad", "test_slice_negative_axes", "test_tile", "test_isnan", "test_isinf",
    "test_quantizelinear_int4", "test_qlinearconv", "test_dynamicquantizelinear", "test_spacetodepth_crd_mode_example",
)  # fmt: skip
"""Small ones of every kind, compiled in every run of the tests; `make node-tests` compiles all."""


def failures(found: list[tuple[Case, Outcome]], allowed: set[str]) -> list[str]:
    bad = [(c, o) for c, o in found if o.verdict != "passed" and not (o.codes and set(o.codes) <= allowed)]
    return [f"{c.name}: {o.verdict}, {o.why} {o.codes}" for c, o in bad]


def judged(run: Run, operators: set[str]) -> list[tuple[Case, Outcome]]:
    return [(case, onnx_nodes.judged(case, run)) for case in onnx_nodes.cases() if case.op in operators]


def test_every_test_of_a_named_operator_passes_and_no_other_answer_is_wrong() -> None:
    operators = {case.op for case in onnx_nodes.cases()}
    assert operators >= NAMED
    found = judged(onnx_nodes.reference, operators)
    assert not failures([(c, o) for c, o in found if c.op in NAMED], {NO_TYPE})
    wrong = [c.name for c, o in found if o.verdict == "differs"]
    assert all("bf16" in name or "fp16" in name for name in wrong), wrong  # where the tests round each step, and we once
    assert sum(o.verdict == "passed" for _, o in found) > 1_350


@pytest.mark.parametrize("place", ["never", "always"])
def test_compiled_code_passes_too(place: str) -> None:
    chosen = [case for case in onnx_nodes.cases() if case.name in SAMPLE]
    assert len(chosen) == len(SAMPLE)
    assert not failures([(case, onnx_nodes.judged(case, onnx_nodes.placed(place))) for case in chosen], set())


@pytest.mark.nodes
@pytest.mark.parametrize("place", ["never", "always"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_test_passes_compiled(family: str, place: str) -> None:
    """But for 8-bit floats and recurrent layers, of which no code is made (C0512)."""
    assert not failures(judged(onnx_nodes.placed(place), set(FAMILIES[family])), {NO_TYPE, "C0512"})
