"""The daemon's life: hold the data root, listen, load, serve, and go in order."""

import asyncio
import gc
import importlib
import logging
import os
import signal
import ssl
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from typing import Final, cast

from havre.api.roles import Limits
from havre.api.router import Router
from havre.api.routes import ping
from havre.api.server import Server
from havre.base.errors import HavreError, InvalidInput
from havre.base.tasks import in_thread
from havre.daemon.config import RELOADED_KEYS, Config, load_config
from havre.daemon.journal import set_level
from havre.daemon.listeners import Listener, open_listeners
from havre.daemon.notify import tell
from havre.daemon.rooms import OpenRooms, Rooms
from havre.daemon.single import lock_data_root, remove_pidfile, write_pidfile

_REQUEST_GRACE_S: Final = 5.0
_log = logging.getLogger("havre.daemon")


def run(config: Config, words: Sequence[str]) -> None:
    """Be the daemon until a signal ends it. Raises HavreError or OSError when it cannot start."""
    with ExitStack() as undo:
        os.umask(0o022)
        gc.disable()  # until everything is loaded: modules are no garbage
        undo.callback(os.close, lock_data_root(config.data_root))
        write_pidfile(config.pidfile)
        undo.callback(remove_pidfile, config.pidfile)
        listeners, warnings = open_listeners(config)
        for listener in listeners:
            undo.callback(listener.close)
        for warning in warnings:
            _log.warning("%s", warning)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner, suppress(asyncio.CancelledError):
            runner.run(_Daemon(config, words, listeners, warnings).live())


class _Daemon:
    """One life. The first SIGTERM or SIGINT ends it in order, the second at once; SIGHUP reads the options again."""

    def __init__(
        self, config: Config, words: Sequence[str], listeners: list[Listener], warnings: Sequence[str]
    ) -> None:
        self._config, self._words, self._listeners, self._warnings = config, words, listeners, warnings
        self._stop = asyncio.Event()
        self._main: asyncio.Task[None] | None = None
        self._rooms: Rooms | None = None

    async def live(self) -> None:
        """Serve until told to stop."""
        self._main = asyncio.current_task()
        self._hear_signals()
        async with AsyncExitStack() as undo:
            server = Server(Router(ping.routes()))
            undo.push_async_callback(server.close, _REQUEST_GRACE_S)
            for listener in self._listeners:
                await server.listen(listener.socket, self._context(listener), _limits(listener))
            # Pings are answered while a thread imports the rest.
            open_rooms = await in_thread(_load)
            rooms = await undo.enter_async_context(open_rooms(self._config, self._warnings))
            self._rooms = rooms
            undo.push_async_callback(server.close, _REQUEST_GRACE_S)
            server.open(Router(rooms.routes()), rooms.labels())
            self._tell_ready()
            await self._stop.wait()
            tell("STOPPING=1")
            if not self._config.live_restore:
                await rooms.end_containers(self._config.shutdown_timeout_s)

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _tell_ready(self) -> None:
        gc.freeze()
        gc.enable()
        _log.info("Daemon has completed initialization")
        for listener in self._listeners:
            _log.info("API listen on %s", listener.address)
        tell("READY=1")

    def _context(self, listener: Listener) -> ssl.SSLContext | None:
        if not listener.encrypted:
            return None
        from havre.api.tls import server_context

        tls = self._config.tls
        try:
            return server_context(
                certificate=tls.certificate, key=tls.key, authority=tls.authority if tls.verify else None
            )
        except (OSError, ssl.SSLError) as failed:
            raise InvalidInput(
                f"cannot set up TLS with {tls.certificate}, {tls.key} and {tls.authority}: {failed}"
            ) from None

    def _end(self, number: signal.Signals) -> None:
        _log.info("Processing signal '%s'", number.name)
        if not self._stop.is_set():
            self._stop.set()
        elif self._main is not None:
            _log.warning("forced to end by a second signal")
            self._main.cancel()

    def _reload(self) -> None:
        try:
            config = load_config(self._words, self._config)
            if self._rooms is not None:
                self._rooms.reload(config)
        except HavreError as wrong:
            _log.error("cannot reload the configuration: %s", wrong.message)
            return
        self._config = config
        set_level("debug" if self._config.debug else self._config.log_level)
        _log.info("Reloaded configuration: %s; all else waits for the next start", ", ".join(RELOADED_KEYS))


def _limits(listener: Listener) -> Limits | None:
    door = listener.door
    return None if door is None else Limits(door.role, door.label)


def _load() -> OpenRooms:
    return cast("OpenRooms", importlib.import_module("havre.daemon.launch").open_rooms)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return cast("Callable[[], asyncio.AbstractEventLoop]", uvloop.new_event_loop)
