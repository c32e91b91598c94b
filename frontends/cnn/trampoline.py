"""Recursive descent without the Python stack: tasks are generators that yield the tasks they wait for."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

T = TypeVar("T")
Task = Generator[Any, Any, T]
"""A computation of a T: `value = yield other_task` runs another one to its end and gives back what it returns."""


def run(task: Task[T]) -> T:
    """The result of a task; what a waited-for task raises is raised where it was waited for."""
    stack: list[Task[Any]] = [task]
    value: Any = None
    error: Exception | None = None
    while stack:
        try:
            waited = stack[-1].send(value) if error is None else stack[-1].throw(error)
            stack.append(waited)
            value, error = None, None
        except StopIteration as stop:
            stack.pop()
            value, error = stop.value, None
        except Exception as problem:  # passed on to the task that waits, or raised below
            stack.pop()
            value, error = None, problem
    if error is not None:
        raise error
    return value
