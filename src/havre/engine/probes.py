"""The probes of containers that have a health check: run in turn, bounded in time and output, and judged."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from havre.base import clock
from havre.base.errors import HavreError, NotFound
from havre.base.tasks import in_thread
from havre.engine.execs import Execs
from havre.engine.health import (
    MAX_OUTPUT,
    TIMED_OUT,
    UNHEALTHY,
    Health,
    ProbeResult,
    interval_s,
    judged,
    probe_command,
    timeout_s,
)
from havre.engine.health_action import NONE, act_on_failure, action_of
from havre.engine.lifecycle import State
from havre.engine.parts import Parts
from havre.engine.probe_family import Marks, kill_family, marks_of
from havre.engine.roster import Container
from havre.engine.seams import Shim
from havre.oci.image_config import Healthcheck
from havre.wire.stream import HEADER_BYTES, parse_header

_PIECE: Final = 16 << 10
_ROUNDS: Final = 4


class Probes:
    """Watches over every container that asks for it, while it runs."""

    def __init__(self, parts: Parts, execs: Execs) -> None:
        self._parts = parts
        self._execs = execs

    def begin(self, container: Container, shim: Shim) -> None:
        """The container runs on *shim*: probe it until that ends."""
        command = probe_command(container.record.config)
        check = container.record.config.healthcheck
        if command and check is not None:
            work = self._watch(container, shim, check, command)
            _ = self._parts.tasks.start(work, name=f"health {container.id[:12]}")

    async def _watch(self, container: Container, shim: Shim, check: Healthcheck, command: tuple[str, ...]) -> None:
        if container.record.health is None:
            self._parts.change(container, replace(container.record, health=Health()))
        age_ns = _age_since(container.record.started_ns)
        while container.shim is shim:
            try:
                async with asyncio.timeout(interval_s(container.record.health or Health(), check, age_ns())):
                    await container.stopped.wait()
            except TimeoutError:
                if container.shim is shim and container.record.state is State.RUNNING:
                    await self._probe_once(container, shim, check, command, age_ns())

    async def _probe_once(
        self, container: Container, shim: Shim, check: Healthcheck, command: tuple[str, ...], age_ns: int
    ) -> None:
        started_ns = clock.now_ns()
        try:
            code, output = await self._run(container, shim, timeout_s(check), command)
        except HavreError as failed:
            code, output = TIMED_OUT, failed.message
        record = container.record
        if container.shim is not shim or not record.alive:
            return  # it ended meanwhile: the answer is about nobody
        result = ProbeResult(start_ns=started_ns, end_ns=clock.now_ns(), code=code, output=output)
        before = record.health or Health()
        health = judged(before, result, check, age_ns)
        self._parts.change(container, replace(record, health=health))
        if health.status != before.status:
            self._parts.tell(container, f"health_status: {health.status}")
            if health.status == UNHEALTHY and action_of(record) != NONE:
                name = f"unhealthy {container.id[:12]}"
                _ = self._parts.tasks.start(act_on_failure(self._parts, container), name=name)

    async def _run(self, container: Container, shim: Shim, limit_s: float, command: tuple[str, ...]) -> tuple[int, str]:
        exec_id = await self._execs.create(
            container.id, {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True}
        )
        ours, theirs = socket.socketpair()
        with ours:
            ours.setblocking(False)
            theirs.setblocking(False)
            heard = _Output()
            marks = Marks(0, frozenset())
            try:
                async with asyncio.timeout(limit_s):
                    await self._execs.start(exec_id, {}, theirs, b"")
                    pid = (await self._execs.inspect(exec_id)).get("Pid") or 0
                    marks = await in_thread(marks_of, pid)
                    await heard.read_all(ours)
                    code = await shim.wait_exec(exec_id)
            except TimeoutError:
                await _end_family(shim, marks)
                return TIMED_OUT, f"Health check exceeded timeout ({limit_s:g}s): {heard.text()}".removesuffix(": ")
        return code, heard.text()


def _age_since(started_ns: int) -> Callable[[], int]:
    """Tells how old the container is. From now on the monotonic clock counts: the other one may jump."""
    began_ns = time.monotonic_ns() - max(0, clock.now_ns() - started_ns)
    return lambda: time.monotonic_ns() - began_ns


class _Output:
    """What a probe says: the first bytes of it are kept, the rest is read and forgotten, so that it never blocks."""

    def __init__(self) -> None:
        self._framed = bytearray()
        self._cut = False

    async def read_all(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while piece := await loop.sock_recv(connection, _PIECE):
            if len(self._framed) < 2 * MAX_OUTPUT:
                self._framed += piece
            else:
                self._cut = True

    def text(self) -> str:
        plain, rest = bytearray(), bytes(self._framed)
        with contextlib.suppress(ValueError):
            while rest:
                _, length = parse_header(rest[:HEADER_BYTES])
                plain += rest[HEADER_BYTES : HEADER_BYTES + length]
                rest = rest[HEADER_BYTES + length :]
        shown = bytes(plain[:MAX_OUTPUT]).decode(errors="replace")
        return shown + "..." if self._cut or len(plain) > MAX_OUTPUT else shown


async def _end_family(shim: Shim, marks: Marks) -> None:
    """Kill a probe with all that it started; it may fork while it dies."""
    if not marks.leader:
        return
    with contextlib.suppress(NotFound):
        for _ in range(_ROUNDS):
            pids = await shim.pids()
            if not await in_thread(kill_family, marks, pids):
                return
