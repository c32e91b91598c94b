"""As many different networks as asked for, counted and reproducible."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable

from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from cnnir.ir.graph import Graph
from cnnir.ir.text import dumps
from cnnir.ops.base import Op

BATCH = 10
"""What hypothesis makes after so many are mostly variations of these, the same again among them."""
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example]
Counts = Counter[str]


def wanted(variable: str, usual: int) -> int:
    """How many networks an environment variable asks for."""
    return int(os.environ.get(variable, usual))


def fuzz(networks: st.SearchStrategy[Graph], count: int, ops: Iterable[type[Op]], check: Callable[[Graph], Counts]) -> set[str]:
    """Check so many different networks, print what `check` counted, and give the ops that never occurred.

    CNNIR_FUZZ_SEED repeats a run.
    """
    first = wanted("CNNIR_FUZZ_SEED", random.SystemRandom().randrange(10**9))
    texts: set[int] = set()
    counts: Counts = Counter()
    missing = {op.name for op in ops}
    start = time.perf_counter()

    def each(graph: Graph) -> None:
        text = dumps(graph)
        if hash(text) in texts or len(texts) >= count:
            return
        note(text)
        found = check(graph)
        texts.add(hash(text))
        counts.update(found)
        missing.difference_update(layer.op.name for layer in graph.layers())

    run = settings(max_examples=BATCH, deadline=None, database=None, suppress_health_check=SLOW, phases=[Phase.generate])
    batch = 0
    try:
        while len(texts) < count:
            seed(first + batch)(run(given(networks)(each)))()
            batch += 1
    except BaseException:
        print(f"\nCNNIR_FUZZ_SEED={first + batch} fails at once")
        raise
    finally:
        words = ", ".join(f"{number:,} {name}" for name, number in counts.items())
        print(f"\n{len(texts):,} networks in {time.perf_counter() - start:.0f} s, seed {first}: {words}")
        print(f"ops that never occurred: {', '.join(sorted(missing)) or 'none'}")
    return missing
