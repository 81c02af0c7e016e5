"""A container that is stopped to be started again runs afterwards, whatever becomes of the engine in between."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from havre.base.errors import HavreError
from havre.base.tasks import in_thread
from havre.engine.parts import Parts
from havre.engine.roster import Container
from havre.engine.start import start
from havre.engine.stop import end_if_alive

_log = logging.getLogger(__name__)
_MARK: Final = "restarting"


@contextmanager
def restarting(parts: Parts, container: Container) -> Iterator[None]:
    """Inside, a mark on the disk tells a next havred that the run that is ending is to be followed by another one."""
    mark = _mark(parts, container)
    with suppress(FileNotFoundError):  # it is being removed
        mark.write_text(str(container.record.started_ns))
    try:
        yield
    except asyncio.CancelledError:  # the engine ends: the mark is for the next one
        raise
    except BaseException:
        mark.unlink(missing_ok=True)
        raise
    mark.unlink(missing_ok=True)


def finish_restarts(parts: Parts) -> None:
    """At the start: go on, as tasks, with the restarts that a dead havred had begun."""
    for container in parts.roster:
        mark = _mark(parts, container)
        if mark.exists():
            _ = parts.tasks.start(_finish(parts, container, mark), name=f"restart of container {container.id}")


async def _finish(parts: Parts, container: Container, mark: Path) -> None:
    begun = await in_thread(mark.read_text)
    is_done = container.record.alive and str(container.record.started_ns) != begun
    if not is_done:
        try:
            await end_if_alive(parts, container, None, None)
            await start(parts, container)
        except HavreError as failed:
            _log.warning("container %s was being restarted, and does not start: %s", container.id, failed.message)
    await in_thread(mark.unlink, missing_ok=True)


def _mark(parts: Parts, container: Container) -> Path:
    return parts.folders.container(container.id) / _MARK
