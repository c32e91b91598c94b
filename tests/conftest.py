"""What every test may ask for. Nothing here, or in any test, depends on the working directory or on the repository's root."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

NEEDS_TORCH = ["backends/torch_export/test_training.py", "frontends/torch/test_modules.py", "frontends/torch/test_operations.py"]
"""`make test-torch` installs PyTorch and runs these; elsewhere it is too large to ask for."""
collect_ignore = [] if find_spec("torch") else NEEDS_TORCH


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of example networks that lies beside the tests."""
    return Path(__file__).resolve().parent.parent / "examples"


pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, empty: what was swept on this machine changes what proofs say."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("CNNIR_CACHE", str(folder))
    return folder
