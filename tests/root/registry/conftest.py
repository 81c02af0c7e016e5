"""Registries of ours as processes, on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.registries import HavreRegistry, running

Serve = Callable[..., HavreRegistry]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts registries that end with the test: `serve(name, config)`."""
    with ExitStack() as stack:

        def start(name: str = "one", config: dict[str, Any] | None = None) -> HavreRegistry:
            registry = HavreRegistry(tmp_path / name, config)
            stack.enter_context(running(registry))
            return registry

        yield start
