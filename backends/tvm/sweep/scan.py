"""Going over many inputs in order, on several cores: NumPy and compiled code let go of Python's lock while they work."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from .code import Code
from .order import Order

T = TypeVar("T")
Look = Callable[[np.ndarray, int], T]
"""Told values at consecutive places, and the first of these places."""
Step = Callable[[int], None]
"""Told how many inputs more are done with, on any of the threads."""


def silent(_inputs: int) -> None:
    """A step that nobody watches."""


def scan(code: Code, start: int, stop: int, look: Look[T], step: Step = silent) -> list[T]:
    """`look` at the values of all inputs from place `start` to before `stop`, chunk by chunk, on all cores; what it says, in order."""
    order = Order(code.precision)
    chunks = list(order.chunks(start, stop, code.size))
    found: list[T | None] = [None] * len(chunks)
    waiting = iter(range(len(chunks)))
    lock, stopped = threading.Lock(), threading.Event()

    def work() -> None:
        evaluator = code.opened()
        inputs = evaluator.inputs[0].view(order.bits)
        ramp = np.arange(code.size, dtype=order.bits)
        try:
            while not stopped.is_set():
                with lock:
                    number = next(waiting, None)
                if number is None:
                    return
                first, behind = chunks[number]
                count = behind - first
                order.fill(inputs[:count], ramp[:count], first)
                inputs[count:] = inputs[count - 1]
                found[number] = look(evaluator.outputs()[:count], first)
                step(count)
        except BaseException:
            stopped.set()
            raise
        finally:
            evaluator.close()

    workers = max(1, min(len(os.sched_getaffinity(0)), len(chunks)))
    with ThreadPoolExecutor(workers, thread_name_prefix="cnnir-sweep") as pool:
        try:
            for done in [pool.submit(work) for _ in range(workers)]:
                done.result()
        except BaseException:  # an interrupt too: the workers must not go on
            stopped.set()
            raise
    return [part for part in found if part is not None]
