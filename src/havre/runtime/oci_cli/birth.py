"""What create, run and exec share: following a birth to its end, handing a console over, writing a pid file."""

import array
import os
import select
import socket
import time
from pathlib import Path

import msgspec

from havre.base import atomic
from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int
from havre.kernel.channel import connect
from havre.kernel.pty import window_size
from havre.oci.runtime_spec import Process, Spec
from havre.runtime.errors import StartFailed
from havre.runtime.oci_cli.arguments import Given
from havre.runtime.spawn import Birth, Pipes, Terminal

_STEP_S = 10.0
_MAX_KEPT = 1000
_UNHURRIED = frozenset({"hooks", ""})
_OWN: Pipes = (0, 1, 2)


def follow(birth: Birth) -> None:
    """Take the child's words until it runs, or waits to be started. Raises StartFailed; `bury` it then.

    A step that takes longer than ten seconds is given up; hooks have timeouts of their own.
    """
    poll = select.poll()
    poll.register(birth.fileno(), select.POLLIN)
    began = time.monotonic()
    while True:
        if poll.poll(1000):
            began = time.monotonic()
            if birth.step():
                break
        elif time.monotonic() - began > _STEP_S and birth.where().partition(" ")[0] not in _UNHURRIED:
            raise StartFailed(f"the container did not get beyond step {birth.where()} in {_STEP_S:g} s")
    if birth.failure is not None:
        raise birth.failure


def stdio_for(process: Process, console_socket: str, *, detached: bool) -> Pipes | Terminal:
    """The streams of the new process: a terminal of its own, or ours. Raises InvalidInput for what cannot go together.

    A terminal without somebody to hold its master would be gone with this command. In the foreground it has the
    size of ours from the start.
    """
    if not process.terminal:
        if console_socket:
            raise InvalidInput("cannot use console socket if havre-runtime will not detach or allocate tty")
        return _OWN
    if detached and not console_socket:
        raise InvalidInput("cannot allocate tty if havre-runtime will detach without setting console socket")
    if not detached and console_socket:
        raise InvalidInput("cannot use console socket if havre-runtime will not detach or allocate tty")
    size = process.console_size
    if size is not None:
        return Terminal(size.height, size.width)
    return Terminal() if detached or not os.isatty(0) else Terminal(*window_size(0))


def kept_descriptors(given: Given) -> int:
    """How many descriptors from 3 on the process gets; asked before anything of ours is open.

    Raises InvalidInput for one that is not there: one of ours would come in its place.
    """
    asked = parse_int(given.one("preserve-fds", "0"), what="--preserve-fds", high=_MAX_KEPT)
    count = asked + _listeners()
    for fd in range(3, 3 + count):
        try:
            os.fstat(fd)
        except OSError as error:
            raise InvalidInput(f"cannot preserve descriptor {fd}: it is not open") from error
        os.set_inheritable(fd, True)
    return count


def _listeners() -> int:
    """The sockets of the service manager that came along: sd_listen_fds(3)."""
    text = os.environ.get("LISTEN_FDS", "")
    return parse_int(text, what="LISTEN_FDS", high=_MAX_KEPT) if text else 0


def with_sockets(process: Process) -> Process:
    """*process* told of the sockets that come along, by its own pid."""
    count = _listeners()
    if not count:
        return process
    return msgspec.structs.replace(process, env=[*(process.env or []), f"LISTEN_FDS={count}", "LISTEN_PID=1"])


def with_listeners(spec: Spec) -> Spec:
    """*spec*, its process told of the sockets that come along."""
    return msgspec.structs.replace(spec, process=with_sockets(spec.process)) if spec.process else spec


def connect_console(path: str) -> socket.socket:
    """A connection to who wants the master of the terminal. Raises KernelError when nobody listens."""
    return connect(path, kind=socket.SOCK_STREAM)


def send_console(connection: socket.socket, master: int) -> None:
    """Hand *master* over, as runc's console protocol has it: one descriptor, and a name as the data."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [master]))]
    connection.sendmsg([b"/dev/ptmx"], rights)


def write_pid_file(path: str, pid: int) -> None:
    """The number, without an end of line; never half of it."""
    if path:
        atomic.write_file(Path(os.path.abspath(path)), b"%d" % pid, mode=0o644, durable=False)  # noqa: PTH100
