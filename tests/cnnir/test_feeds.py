"""Random inputs lie in their ranges, for every element type."""

from __future__ import annotations

import numpy as np
import pytest

from cnnir.feeds import random_feeds
from cnnir.types import DTYPES, TensorType

ENDS = {
    "f64": (-1.7e308, 1.7e308),
    "i64": (-(2.0**63), 2.0**63),
    "u64": (0.0, 2.0**64),
    "i8": (-128.0, 127.0),
    "u8": (3.0, 4.0),
    "bool": (0.0, 1.0),
}


@pytest.mark.parametrize("dtype", DTYPES)
def test_feeds_lie_in_the_range_and_vary(dtype: str) -> None:
    t = TensorType(dtype, (1000,))
    for span in (ENDS.get(dtype, (-2.0, 5.0) if dtype[0] != "u" else (0.0, 5.0)), None):
        array = random_feeds({"x": t}, {"x": span})["x"]
        assert array.dtype == t.numpy and len(np.unique(array)) > 1
        values = array.astype(np.float64)
        assert np.isfinite(values).all()
        assert span is None or (values.min() >= span[0] and values.max() <= span[1])
