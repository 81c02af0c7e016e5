"""The part of a shim that is always there: it rests, and forks a worker from its untouched memory for all work.

Whatever Python runs dirties pages, a megabyte within milliseconds. So the keeper does next to nothing: it is the
parent of the container's first process, and while nothing happens it holds the descriptors of the idle container.
At the first event a worker is forked that inherits them; when all is quiet again the worker hands them back and
ends, and its memory with it. This file therefore uses plain integers, no enums, no message types.
"""

import array
import os
import select
from _socket import socket, socketpair  # the classes around them dirty 120 kB
from collections.abc import Callable
from typing import NoReturn

from havre.kernel.namespaces import fork_bare

HOLD, REAP, END = b"h", b"r", b"e"
"""What a worker says first: take these descriptors; wait for this process; it is over."""

_MESSAGE = 65536
_SCM_RIGHTS, _SOL_SOCKET, _CLOEXEC = 1, 1, 0x40000000
_RIGHTS = 32 + 4 * 253  # SCM_MAX_FD: unix(7)
_IN = 1


class Held:
    """What the keeper keeps for the next worker: its descriptors, how many of them to watch, its memory."""

    __slots__ = ("fds", "memory", "watched")

    def __init__(self, fds: "list[int]", watched: int, memory: bytes) -> None:
        self.fds = fds
        self.watched = watched
        self.memory = memory


Work = Callable[["Keeper", Held], None]
"""The worker's whole life."""


class Keeper:
    """The worker's line to the keeper."""

    def __init__(self, sock: socket) -> None:
        self._socket = sock

    def fileno(self) -> int:
        """The worker's end, which hangs up when the keeper is gone."""
        return self._socket.fileno()

    def reap(self, pid: int) -> int:
        """Have the keeper wait for its child *pid*; the wait status. ChildProcessError when it is none of its."""
        self._socket.send(REAP + pid.to_bytes(4, "little"))
        answer = self._socket.recv(16)
        if len(answer) != 4:
            raise ChildProcessError(f"process {pid} is no child of the keeper")
        return int.from_bytes(answer, "little")

    def hold(self, held: Held) -> None:
        """Hand everything over; the worker ends after this."""
        rights = [(_SOL_SOCKET, _SCM_RIGHTS, array.array("i", held.fds))]
        self._socket.sendmsg([HOLD, bytes((held.watched,)), held.memory], rights)

    def end(self) -> None:
        """The container is over: the keeper ends too."""
        self._socket.send(END)


def keep(work: Work, fd: int) -> None:
    """Have *work* done on *fd* now, and from then on, whenever something happens, on what the last worker handed over.

    Returns once a worker says that it is over. One function and no objects: each would be a page or two more.
    """
    fds, watched, memory = [fd], 1, b""
    while True:
        ours, theirs = socketpair(1, 5)  # AF_UNIX, SOCK_SEQPACKET
        pid = fork_bare()
        if pid == 0:
            ours.close()
            _become(work, Keeper(theirs), Held(fds, watched, memory))
        theirs.close()
        for each in fds:
            os.close(each)  # the worker's alone now: what it closes shall be closed
        data, ancillary, _, _ = ours.recvmsg(_MESSAGE, _RIGHTS, _CLOEXEC)
        while data[:1] == REAP:
            ours.send(_wait(int.from_bytes(data[1:5], "little")))
            data, ancillary, _, _ = ours.recvmsg(_MESSAGE, _RIGHTS, _CLOEXEC)
        ours.close()
        os.waitpid(pid, 0)
        if data[:1] != HOLD:
            return
        fds, watched, memory = [], data[1], data[2:]
        for _, _, raw in ancillary:
            for at in range(0, len(raw) - 3, 4):
                fds.append(raw[at] | raw[at + 1] << 8 | raw[at + 2] << 16 | raw[at + 3] << 24)
        poll = select.poll()
        for each in fds[:watched]:
            poll.register(each, _IN)
        poll.poll()


def _wait(pid: int) -> bytes:
    try:
        return os.waitpid(pid, 0)[1].to_bytes(4, "little")
    except ChildProcessError:
        return b"?"


def _become(work: Work, keeper: Keeper, held: Held) -> NoReturn:
    code = 1
    try:
        work(keeper, held)
        code = 0
    except BaseException:  # noqa: BLE001  the outermost loop of the worker: what it says goes to havred's own output
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)
