"""Start havred when nobody has: `havre run hello-world` is then the whole set-up of a machine."""

from __future__ import annotations

import os
import sys
import time

from havre.client.connection import Address
from havre.client.errors import ClientError, ConnectionFailed

DATA_ROOT = "/var/lib/havre"
LOG = f"{DATA_ROOT}/havred.log"
_PATIENCE_S = 30.0
_RIVAL = "in use by another havred"


def start_daemon(address: Address) -> None:
    """Start a havred in a session of its own and wait until it answers. Raises ClientError with its last words."""
    os.makedirs(DATA_ROOT, mode=0o710, exist_ok=True)
    start = os.path.getsize(LOG) if os.path.exists(LOG) else 0
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    command = [sys.executable, "-m", "havre.daemon.main", "-H", address.text]
    pid = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions, setsid=True)
    deadline, ended = time.monotonic() + _PATIENCE_S, False
    while time.monotonic() < deadline:
        try:
            address.connect().close()
        except ConnectionFailed:
            ended = ended or os.waitpid(pid, os.WNOHANG)[0] != 0
            if ended and _RIVAL not in _tail(start):
                break  # else another command started one in the same moment, which will answer
            time.sleep(0.005)
        else:
            return
    raise ClientError(f"havred did not start; its last words in {LOG}:\n{_tail(start)}")


def _tail(start: int) -> str:
    with open(LOG, "rb") as log:
        log.seek(start)
        return log.read()[-2000:].decode(errors="replace").rstrip()
