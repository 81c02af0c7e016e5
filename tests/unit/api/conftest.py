from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import uvloop

from havre.api.router import Route
from tests.fakes.served import LoopFactory, Served, Talk

Serve = Callable[..., Served]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop_factory(request: pytest.FixtureRequest) -> LoopFactory:
    factory: LoopFactory = request.param
    return factory


@pytest.fixture
def serve(tmp_path: Path, loop_factory: LoopFactory) -> Iterator[Serve]:
    """Start a server for some routes; on a unix socket unless `tcp`."""
    with contextlib.ExitStack() as undo:

        def start(routes: Sequence[Route] = (), *, tcp: bool = False, **wishes: object) -> Served:
            folder = None if tcp else tmp_path
            made = Served(routes, folder, loop_factory=loop_factory, **wishes)  # type: ignore[arg-type]
            return undo.enter_context(made)

        yield start


@pytest.fixture
def talk() -> Iterator[Callable[[Served], Talk]]:
    with contextlib.ExitStack() as undo:

        def connect(served: Served) -> Talk:
            return undo.enter_context(Talk(served.connect()))

        yield connect
