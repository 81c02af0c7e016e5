"""One daemon a data root: the lock, and the file that tells its number."""

import fcntl
import os
from pathlib import Path
from typing import Final

from havre.base.atomic import write_file
from havre.base.errors import Conflict

_LOCK: Final = "havred.lock"


def lock_data_root(data_root: Path) -> int:
    """Hold the data root until the descriptor given back is closed. Raises Conflict when another daemon has it.

    The kernel gives the lock back when its holder dies, however it dies: a stale lock does not exist.
    """
    data_root.mkdir(mode=0o710, parents=True, exist_ok=True)
    handle = os.open(data_root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(handle, 32).decode("ascii", "replace").strip()
        os.close(handle)
        raise Conflict(
            f"{data_root} is in use by another havred" + (f" (process {holder})" if holder else "")
        ) from None
    os.ftruncate(handle, 0)
    os.write(handle, f"{os.getpid()}\n".encode())
    return handle


def write_pidfile(path: Path) -> None:
    """Leave our number for whoever wants to signal us. Raises Conflict when a daemon that runs left its own."""
    try:
        before = path.read_bytes()[:32].strip()
    except FileNotFoundError:
        before = b""
    if before.isdigit() and int(before) != os.getpid() and _is_daemon(int(before)):
        raise Conflict(f"process with PID {int(before)} is still running; ensure that it is no havred or delete {path}")
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_file(path, f"{os.getpid()}".encode(), mode=0o644, durable=False)


def remove_pidfile(path: Path) -> None:
    """Take our number away, if it is still ours."""
    try:
        if path.read_bytes() == str(os.getpid()).encode():
            path.unlink()
    except OSError:
        return


def _is_daemon(pid: int) -> bool:
    """Whether *pid* is a havred: after a reboot the number may belong to anyone."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(word.endswith((b"havred", b"havre.daemon.main")) for word in words)
