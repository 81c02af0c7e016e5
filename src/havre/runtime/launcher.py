"""The zygote: a process of one thread that has loaded the runtime once and forks a shim for each container.

Started by `runtime.sealed`; ends when havred's end of its channel closes. Shims have sessions of their own and stay.
"""

import contextlib
import gc
import os
import select
import signal
import sys
from _socket import (
    AF_UNIX,
    CMSG_SPACE,
    MSG_CMSG_CLOEXEC,
    MSG_NOSIGNAL,
    SCM_RIGHTS,
    SOCK_SEQPACKET,
    SOL_SOCKET,
    socket,
    socketpair,
)
from typing import NoReturn

from havre.base.errors import HavreError
from havre.kernel.cgroups import open_cgroups
from havre.kernel.channel import Channel
from havre.kernel.namespaces import fork_bare
from havre.kernel.process import boot_id, pidfd_open, set_dumpable, set_name
from havre.kernel.procfs import open_mounted_proc
from havre.runtime.cradle import group_of, sweep
from havre.runtime.defaults import default_mounts
from havre.runtime.init.mount_options import parse_options
from havre.runtime.init.stage import empty_namespace
from havre.runtime.shim.container import Tools
from havre.runtime.shim.main import serve
from havre.runtime.title import set_title

_CALM_MS = 30
_ENDED_WITHIN_MS = 2000
_SPARE = b"i"  # a message of Channel without content
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
    tools = Tools(open_cgroups(), open_mounted_proc(), fail_at)
    boot_id()  # read once for all shims, as the options below are
    for entry in default_mounts():
        parse_options(entry.options, kind=entry.type)
    orders = socket(fileno=fd)
    os.set_inheritable(fd, False)
    Channel(orders).send(b"ready")
    if cgroup_parent:
        sweep(tools.cgroups, cgroup_parent)
        with contextlib.suppress(OSError):  # then there are no cradles
            tools = tools._replace(spare_group=group_of(os.getpid(), cgroup_parent), empty=empty_namespace())
    gc.collect()
    gc.freeze()
    gc.disable()
    _Zygote(orders, tools).serve()


class _Zygote:
    """Forks a shim for each channel that havred sends, and one ahead of need, whose channel havred is sent.

    The latter at a moment when nothing else is asked for; havred says when it has taken it. A page that is written here
    is lost to every shim that still shared it: hence the bare sockets, and nothing kept.
    """

    def __init__(self, orders: socket, tools: Tools) -> None:
        self._orders = orders
        self._tools = tools
        self._spared = False
        self._spare_pid = 0

    def serve(self) -> None:
        """Until havred closes its end."""
        poll = select.poll()
        poll.register(self._orders.fileno(), select.POLLIN)
        while True:
            if not self._spared and not poll.poll(_CALM_MS):
                self._spare()
            data, ancillary = self._receive()
            if not data:
                break
            if ancillary:
                fd = int.from_bytes(ancillary[0][2], sys.byteorder)
                self._fork(fd, None)
                os.close(fd)
            else:
                self._spared, self._spare_pid = False, 0
        self._await_end_of_spare()
        if self._tools.spare_group:
            with contextlib.suppress(OSError, HavreError):  # a shim that was killed may have left it
                self._tools.cgroups.remove(self._tools.spare_group)

    def _receive(self) -> "tuple[bytes, list[tuple[int, int, bytes]]]":
        """Nothing when havred is gone, also when it has left a message of ours unread: unix(7), ECONNRESET."""
        try:
            return self._orders.recvmsg(_ORDER, _RIGHTS, _CLOEXEC)[:2]
        except ConnectionError:
            return b"", []

    def _await_end_of_spare(self) -> None:
        """Havred has let go of it, or never heard of it: then it ends, and takes away what it prepared."""
        try:
            spare = pidfd_open(self._spare_pid)
        except OSError:
            return  # none was forked, or it is gone
        poll = select.poll()
        poll.register(spare, select.POLLIN)
        poll.poll(_ENDED_WITHIN_MS)

    def _spare(self) -> None:
        self._spared = True
        ours, theirs = socketpair(AF_UNIX, SOCK_SEQPACKET)
        self._spare_pid = self._fork(theirs.fileno(), ours)
        if self._spare_pid:
            rights = [(SOL_SOCKET, SCM_RIGHTS, ours.fileno().to_bytes(4, sys.byteorder))]
            with contextlib.suppress(OSError):  # havred is gone: the next look shows it
                self._orders.sendmsg([_SPARE], rights, MSG_NOSIGNAL)
        ours.close()
        theirs.close()

    def _fork(self, fd: int, other_end: socket | None) -> int:
        """The number of a shim on the channel *fd*; 0 for none, which havred learns from the end of the channel.

        With the *other_end* still in our hands it is forked ahead of need.
        """
        try:
            pid = fork_bare()
        except OSError as error:
            sys.stderr.write(f"havre-launcher: fork: {error}\n")
            return 0
        if pid == 0:
            self._orders.close()
            if other_end is not None:
                other_end.close()  # or the shim would never see that havred lets go of it
            _become_shim(fd, self._tools, ahead=other_end is not None)
        return pid


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
