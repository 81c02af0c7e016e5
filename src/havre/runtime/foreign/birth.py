"""The shim's side: a birth whose child is the errand of a foreign runtime, until that has made the real one."""

import contextlib
import os
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from havre.kernel.channel import Channel
from havre.kernel.process import pidfd_open
from havre.runtime.bundle import ExecRequest
from havre.runtime.errors import StartFailed, StepFailed
from havre.runtime.foreign.child import Errand, become_creator, become_guide
from havre.runtime.foreign.tool import Tool
from havre.runtime.init.enter import Host
from havre.runtime.init.finish import Pipes, Terminal
from havre.runtime.init.progress import Progress
from havre.runtime.spawn import Birth, Order

CREATE_FAILED = "OCI runtime create failed: "
EXEC_FAILED = "OCI runtime exec failed: "


class Around(NamedTuple):
    """What a further process begins with, and the container that it comes to, whose first process is *pid*."""

    stdio: Pipes | Terminal
    progress: Progress
    host: Host
    pid: int


class ForeignBirth(Birth):
    """The errand ends once the program runs; what it leaves is an orphan that this process inherits."""

    def _take_over(self, pid: int) -> None:
        super()._take_over(pid)
        self.tell()

    def _decide(self) -> None:
        super()._decide()
        self.reap_maker()


def create(tool: Tool, name: str, order: Order) -> Birth:
    """Have the runtime make the container *name*. Raises StartFailed."""
    os.makedirs(tool.folder, 0o700, exist_ok=True)  # noqa: PTH103  pathlib's has no mode for parents

    def become(channel: Channel) -> NoReturn:
        become_creator(Errand(name, tool, order.stdio, channel, order.progress, order.cgroups), order.bundle)

    return _send(become, order.progress, CREATE_FAILED)


def execute(
    tool: Tool,
    name: str,
    request: Callable[[], ExecRequest],
    around: Around,
) -> Birth:
    """Have the runtime start a further process in the container *name*. Raises StartFailed."""
    stdio, progress, host, pid = around

    def become(channel: Channel) -> NoReturn:
        become_guide(Errand(name, tool, stdio, channel, progress, host.cgroups, host.cgroup), request, pid)

    return _send(become, progress, EXEC_FAILED)


def forget(tool: Tool, name: str) -> None:
    """Have the runtime take away what it keeps of a container that has ended; its folder goes anyway."""
    with contextlib.suppress(StepFailed, OSError):
        tool.run("delete", "--force", name)


def _send(become: Callable[[Channel], NoReturn], progress: Progress, failing: str) -> Birth:
    ours, theirs = Channel.pair()
    try:
        pid = os.fork()
    except OSError as error:
        ours.close()
        theirs.close()
        raise StartFailed(f"{failing}fork: {error.strerror}") from error
    if pid == 0:
        ours.close()
        become(theirs)
    theirs.close()
    return ForeignBirth(pid, pidfd_open(pid), ours, progress, failing)
