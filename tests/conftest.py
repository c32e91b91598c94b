"""What every test may ask for. Nothing here, or in any test, depends on the working directory or on the repository's root."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of example networks that lies beside the tests."""
    return Path(__file__).resolve().parent.parent / "examples"


pytest_plugins = ["pytester"]
