"""The registry server as a program of its own, which `havre registry serve` becomes."""

import asyncio
import atexit
import logging
import os
import queue
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path

from havre.base.errors import Conflict, HavreError
from havre.daemon.journal import open_journal
from havre.daemon.notify import tell
from havre.daemon.registry_flags import load
from havre.daemon.single import lock_data_root
from havre.registry.server.config.settings import Address, Settings
from havre.registry.server.http.access_log import LOGGER
from havre.registry.server.serve import serve

_WAITING_LINES = 10_000
_LAST_LINES_S = 1.0
_log = logging.getLogger(__name__)


class _Lines(QueueHandler):
    def enqueue(self, record: logging.LogRecord) -> None:
        """Drop the line when too many wait."""
        with suppress(queue.Full):
            self.queue.put_nowait(record)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Gives its exit status."""
    try:
        settings = load(sys.argv[1:] if arguments is None else list(arguments))
        open_journal(settings.log_level, "text")
        _open_access_log(on=settings.access_log)
        lock = _lock(settings.root)
    except (HavreError, OSError) as wrong:
        sys.stderr.write(f"{wrong}\nSee 'havre registry serve --help'.\n")
        return 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    try:
        asyncio.run(_serve(settings))
    except (HavreError, OSError) as failed:
        sys.stderr.write(f"the registry did not start: {failed}\n")
        return 1
    finally:
        os.close(lock)
    return 0


async def _serve(settings: Settings) -> None:
    until = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, until.set)

    def ready(port: int, renew: Callable[[], None]) -> None:
        loop.add_signal_handler(signal.SIGHUP, renew)
        scheme = "https" if settings.tls.certificate else "http"
        shown = Address(settings.address.host or "0.0.0.0", port)
        _log.info("registry on %s://%s, root %s", scheme, shown, settings.root)
        tell("READY=1")

    await serve(settings, until, ready)


def _lock(root: Path) -> int:
    try:
        return lock_data_root(root)
    except Conflict:
        raise Conflict(f"{root} is in use by another registry") from None


def _open_access_log(*, on: bool) -> None:
    """Requests go to standard output, as they are: what the registry has to say itself goes to standard error.

    A thread writes them: a reader that is slow holds up no request, and loses lines when it is far behind.
    """
    access = logging.getLogger(LOGGER)
    access.propagate = False
    access.setLevel(logging.INFO if on else logging.CRITICAL)
    if on:
        lines: queue.Queue[logging.LogRecord] = queue.Queue(_WAITING_LINES)
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        access.addHandler(_Lines(lines))
        QueueListener(lines, handler).start()
        atexit.register(_drain, lines)


def _drain(lines: "queue.Queue[logging.LogRecord]") -> None:
    """Give the last lines a second to be written: a reader that takes none keeps nobody from ending."""
    deadline = time.monotonic() + _LAST_LINES_S
    while not lines.empty() and time.monotonic() < deadline:
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())
