"""`havre system shutdown`: end the havred that was started on demand; containers go on (live restore)."""

from __future__ import annotations

import os
import select
import signal

from havre.cli.command import Command
from havre.cli.flags import Given, text
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ClientError

_PIDFILE = "/run/havred.pid"
_PATIENCE_S = 20


def run(given: Given, client: Client, screen: Screen) -> int:
    """Send SIGTERM to the daemon and wait until it is gone. Raises ClientError when none runs."""
    del client
    path = given.text("pidfile")
    try:
        with open(path, encoding="ascii") as file:
            pid = int(file.read())
        process = os.pidfd_open(pid)
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if b"havred" not in file.read().replace(b"havre.daemon", b"havred"):
                raise ClientError(f"process {pid} of {path} is no havred")
        signal.pidfd_send_signal(process, signal.SIGTERM)
    except (OSError, ValueError) as error:
        raise ClientError(f"no havred runs on this machine: {path}: {error}") from error
    ended = select.select([process], [], [], _PATIENCE_S)[0]
    os.close(process)
    if not ended:
        raise ClientError(f"havred (process {pid}) has not ended after {_PATIENCE_S} s")
    screen.line(str(pid))
    return 0


COMMAND = Command(
    summary="Stop the daemon of this machine; its containers go on",
    usage="[OPTIONS]",
    flags=(text("pidfile", "The file that holds the daemon's process id", default=_PIDFILE),),
    at_most=0,
    run=run,
)
