"""The launcher first: it takes as long to start, on another processor, as the rest takes to import."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TypeAlias, cast

from havre.base.errors import HavreError
from havre.base.tasks import in_thread
from havre.daemon.config import Config
from havre.daemon.rooms import Rooms
from havre.runtime.defaults import CGROUP_PARENT
from havre.runtime.runtime import Runtime

_OnRuntime: TypeAlias = Callable[[Config, Runtime, Sequence[str]], AbstractAsyncContextManager[Rooms]]


@asynccontextmanager
async def open_rooms(config: Config, warnings: Sequence[str]) -> AsyncIterator[Rooms]:
    """The runtime, and all rooms on top of it."""
    async with AsyncExitStack() as undo:
        parent = (config.containers.cgroup_parent or CGROUP_PARENT).strip("/")
        runtime = Runtime(config.exec_root, cgroup_parent=f"/{parent}")
        undo.push_async_callback(runtime.close)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(runtime.open(), name="launcher")
                loading = both.create_task(in_thread(_load), name="import of the rooms")
        except* HavreError as failed:
            raise failed.exceptions[0] from None
        yield await undo.enter_async_context(loading.result()(config, runtime, warnings))


def _load() -> _OnRuntime:
    return cast("_OnRuntime", importlib.import_module("havre.daemon.wiring").open_rooms)
