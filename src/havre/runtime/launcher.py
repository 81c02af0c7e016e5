"""The zygote: a process of one thread that has loaded the runtime once and forks a shim for each container.

Started by `runtime.sealed`; ends when havred's end of its channel closes. Shims have sessions of their own and stay.
"""

import contextlib
import gc
import os
import select
import signal
import sys
from _socket import CMSG_SPACE, MSG_CMSG_CLOEXEC, MSG_NOSIGNAL, SCM_RIGHTS, SHUT_WR, SOL_SOCKET, socket, socketpair
from typing import NoReturn

from havre.base.errors import HavreError
from havre.kernel.cgroups import open_cgroups
from havre.kernel.channel import Channel
from havre.kernel.namespaces import fork_bare
from havre.kernel.process import set_dumpable, set_name
from havre.kernel.procfs import open_mounted_proc
from havre.runtime.cradle import group_of, sweep
from havre.runtime.shim.container import Tools
from havre.runtime.shim.main import serve
from havre.runtime.title import set_title

_CALM_MS = 30
_DISMISSED_WITHIN_S = 2.0
_ORDER, _RIGHTS, _CLOEXEC = 16, CMSG_SPACE(4), int(MSG_CMSG_CLOEXEC)


def main(fd: int, fail_at: str = "", cgroup_parent: str = "") -> None:
    """Serve the channel *fd* to the end. With *cgroup_parent* there is always a container half born in there."""
    set_dumpable(False)
    set_name("havre-launcher")
    set_title("havre-launcher")
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # shims are nobody's to wait for: wait(2), NOTES
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o022)
    os.chdir("/")
    cgroups, spare_group = open_cgroups(), ""
    if cgroup_parent:
        sweep(cgroups, cgroup_parent)
        spare_group = group_of(os.getpid(), cgroup_parent)
    tools = Tools(cgroups, open_mounted_proc(), fail_at, spare_group)
    orders = socket(fileno=fd)
    os.set_inheritable(fd, False)
    gc.collect()
    gc.freeze()
    gc.disable()
    Channel(orders).send(b"ready")
    _Zygote(orders, tools).serve()


class _Zygote:
    """Hands each launch to a shim; one is forked ahead of need, at a moment when nothing else is asked for.

    A page that it writes is lost to every shim that still shared it: hence the bare sockets, and nothing kept.
    """

    def __init__(self, orders: socket, tools: Tools) -> None:
        self._orders = orders
        self._tools = tools
        self._spare: socket | None = None

    def serve(self) -> None:
        """Until havred closes its end."""
        poll = select.poll()
        poll.register(self._orders.fileno(), select.POLLIN)
        while True:
            if self._spare is None and not poll.poll(_CALM_MS):
                self._spare = self._fork(ahead=True)
            data, ancillary, _, _ = self._orders.recvmsg(_ORDER, _RIGHTS, _CLOEXEC)
            if not data:
                self._dismiss()
                return
            if ancillary:
                self._hand_over(int.from_bytes(ancillary[0][2], sys.byteorder))

    def _dismiss(self) -> None:
        """Nobody needs the spare shim any more; wait until it is gone with all that it had prepared."""
        if self._spare is not None:
            with contextlib.suppress(OSError):
                self._spare.settimeout(_DISMISSED_WITHIN_S)
                self._spare.shutdown(SHUT_WR)
                self._spare.recv(1)
        if self._tools.spare_group:
            with contextlib.suppress(OSError, HavreError):  # a shim that was killed has left it
                self._tools.cgroups.remove(self._tools.spare_group)

    def _hand_over(self, fd: int) -> None:
        """Havred learns that no shim took the launch from the end of the shim's channel."""
        spare, self._spare = self._spare, None
        for shim in (spare, None):
            taker = shim or self._fork(ahead=False)
            if taker is not None and _send(taker, fd):
                break
        os.close(fd)

    def _fork(self, *, ahead: bool) -> socket | None:
        """A shim that waits for its launch on the other end."""
        ours, theirs = socketpair()
        try:
            pid = fork_bare()
        except OSError as error:
            sys.stderr.write(f"havre-launcher: fork: {error}\n")
            ours.close()
            theirs.close()
            return None
        if pid == 0:
            self._orders.close()
            ours.close()
            _become_shim(theirs.detach(), self._tools, ahead=ahead)
        theirs.close()
        return ours


def _send(taker: socket, fd: int) -> bool:
    try:
        taker.sendmsg([b"l"], [(SOL_SOCKET, SCM_RIGHTS, fd.to_bytes(4, sys.byteorder))], MSG_NOSIGNAL)
    except OSError:
        return False  # the spare one was killed
    finally:
        taker.close()
    return True


def _become_shim(fd: int, tools: Tools, *, ahead: bool) -> NoReturn:
    code = 1
    try:
        serve(fd, tools, ahead=ahead)
        code = 0
    except BaseException:  # noqa: BLE001  the outermost loop of the shim: what it says goes to havred's own output
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)
