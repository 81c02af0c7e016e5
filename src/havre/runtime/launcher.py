"""The zygote: a process of one thread that has loaded the runtime once and forks a shim for each container.

Started by `runtime.sealed`; ends when havred's end of its channel closes. Shims have sessions of their own and stay.
"""

import gc
import os
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


def main(fd: int, fail_at: str = "") -> None:
    """Serve the channel *fd* to the end."""
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
    channel = Channel(socket.socket(fileno=fd))
    os.set_inheritable(fd, False)
    gc.collect()
    gc.freeze()
    gc.disable()
    channel.send(_READY)
    while True:
        try:
            _, fds = channel.receive()
        except ChannelClosed:
            return
        if fds:
            _fork(channel, fds[0], tools)


def _fork(channel: Channel, fd: int, tools: Tools) -> None:
    """Havred learns of a failed fork from the end of the shim's channel."""
    try:
        pid = os.fork()
    except OSError as error:
        sys.stderr.write(f"havre-launcher: fork: {error}\n")
        pid = -1
    if pid == 0:
        channel.close()
        _become_shim(fd, tools)
    os.close(fd)


def _become_shim(fd: int, tools: Tools) -> NoReturn:
    code = 1
    try:
        serve(fd, tools)
        code = 0
    except BaseException:  # noqa: BLE001  the outermost loop of the shim: what it says goes to havred's own output
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)
