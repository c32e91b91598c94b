"""Networks up to the cap: near-linear in the number of layers. `make scale`; the figures are CPU seconds of one process each."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from itertools import pairwise

import pytest

pytestmark = pytest.mark.scale
SECONDS, MEGABYTES, EXPONENT = 30, 2000, 1.15
SIZES = (1_000, 10_000, 100_000)
SCRIPT = """
import json, resource, sys, time
import cnnir
from cnnir.ir.text import dumps
from cnnir.passes.place import place
small, text = sys.stdin.read().split("\\n===\\n")
place(cnnir.parse(small)), dumps(cnnir.parse(small))
begin = time.process_time()
graph = cnnir.parse(text)
place(graph, "always")
printed = dumps(graph)
spent = time.process_time() - begin
assert cnnir.parse(printed) == graph
print(json.dumps([spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def chain(step: str, layers: int) -> str:
    count = layers // step.count("->")
    return "network n(x: f32[1, 4, 8, 8]) { x" + step * count + " }"


def mixed(n: int) -> str:
    return chain(" -> conv(4, 3, pad=1) -> relu -> maxpool(2, stride=1, pad=[0, 0, 1, 1])", n)


def relus(n: int) -> str:
    return chain(" -> relu", n)


def diamonds(n: int) -> str:
    body = "".join(f"a{i} = v{i} -> relu\nv{i + 1} = add(v{i}, a{i})\n" for i in range(n // 2))
    return f"network n(x: f32[1, 4, 8, 8]) {{\nv0 = x\n{body}return v{n // 2}\n}}"


def concatenation(n: int) -> str:
    return f"network n(x: f32[1, 1, 2, 2]) {{ concat({', '.join(['x'] * n)}) }}"


def outputs(n: int) -> str:
    body = "".join(f"a{i} = x -> relu\n" for i in range(n))
    return f"network n(x: f32[1, 4, 8, 8]) {{\n{body}return {', '.join(f'a{i}' for i in range(n))}\n}}"


def activations(n: int) -> str:
    """A tenth as many definitions as layers."""
    defined = "".join(f"activation f{i}(x) = max(x, {i})\n" for i in range(n // 10))
    return f"{defined}network n(x: f32[1, 4, 8, 8]) {{ x{''.join(f' -> f{i % (n // 10)}' for i in range(n))} }}"


def measure(make: object, n: int) -> tuple[float, float]:
    assert callable(make)
    done = subprocess.run([sys.executable, "-c", SCRIPT], input=f"{make(30)}\n===\n{make(n)}", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seconds, megabytes = json.loads(done.stdout)
    return seconds, megabytes


@pytest.mark.parametrize("make", [mixed, relus, diamonds, concatenation, outputs, activations])
def test_time_and_memory_stay_near_linear(make: object) -> None:
    found = [measure(make, n) for n in SIZES]
    exponents = [math.log10(b[0] / a[0]) for a, b in pairwise(found)]
    figures = ", ".join(f"{n:,}: {s:.2f} s, {m:.0f} MB" for n, (s, m) in zip(SIZES, found, strict=True))
    print(f"\n{getattr(make, '__name__', '')}: {figures}; exponents {', '.join(f'{e:.2f}' for e in exponents)}")
    assert found[-1][1] < MEGABYTES
    assert found[-1][0] < SECONDS
    assert math.log10(found[-1][0] / found[0][0]) / 2 < EXPONENT
