"""The zygote: a process of one thread that has loaded the runtime once and forks a shim for each container.

Started by `runtime.sealed`; ends when havred's end of its channel closes. Shims have sessions of their own and stay.
"""

import gc
import os
import select
import signal
import socket
import sys
from typing import NoReturn

from havre.kernel.cgroups import open_cgroups
from havre.kernel.channel import Channel, ChannelClosed
from havre.kernel.process import set_dumpable, set_name
from havre.kernel.procfs import open_mounted_proc
from havre.runtime.shim.container import Tools
from havre.runtime.shim.main import serve
from havre.runtime.title import set_title

_READY = b"ready"
_CALM_MS = 30


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
    spare_group = f"{cgroup_parent}/spare-{os.getpid()}" if cgroup_parent else ""
    tools = Tools(open_cgroups(), open_mounted_proc(), fail_at, spare_group)
    channel = Channel(socket.socket(fileno=fd))
    os.set_inheritable(fd, False)
    gc.collect()
    gc.freeze()
    gc.disable()
    channel.send(_READY)
    _Zygote(channel, tools).serve()


class _Zygote:
    """Hands each launch to a shim; one is forked ahead of need, at a moment when nothing else is asked for."""

    def __init__(self, channel: Channel, tools: Tools) -> None:
        self._channel = channel
        self._tools = tools
        self._spare: socket.socket | None = None

    def serve(self) -> None:
        """Until havred closes its end."""
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        while True:
            if self._spare is None and not poll.poll(_CALM_MS):
                self._spare = self._fork(ahead=True)
            try:
                _, fds = self._channel.receive()
            except ChannelClosed:
                return
            if fds:
                self._hand_over(fds[0])

    def _hand_over(self, fd: int) -> None:
        """Havred learns that no shim took the launch from the end of the shim's channel."""
        spare, self._spare = self._spare, None
        for shim in (spare, None):
            taker = shim or self._fork(ahead=False)
            if taker is not None and _send(taker, fd):
                break
        os.close(fd)

    def _fork(self, *, ahead: bool) -> socket.socket | None:
        """A shim that waits for its launch on the other end."""
        ours, theirs = socket.socketpair()
        try:
            pid = os.fork()
        except OSError as error:
            sys.stderr.write(f"havre-launcher: fork: {error}\n")
            ours.close()
            theirs.close()
            return None
        if pid == 0:
            self._channel.close()
            ours.close()
            _become_shim(theirs.detach(), self._tools, ahead=ahead)
        theirs.close()
        return ours


def _send(taker: socket.socket, fd: int) -> bool:
    try:
        socket.send_fds(taker, [b"l"], [fd])
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
