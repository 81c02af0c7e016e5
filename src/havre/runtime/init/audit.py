"""The guard of rule 6: between pivot_root and execve nothing is imported, loaded or looked up by name."""

import os
import sys
from collections.abc import Callable

_RUNS = frozenset({"os.exec", "os.posix_spawn"})
_FORBIDDEN = frozenset(
    {
        "import",
        "ctypes.dlopen",
        "os.system",
        "os.spawn",
        "subprocess.Popen",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "exec",
        "compile",
        "open",
    }
)

DIED_BY_GUARD = 70
"""The exit code of a child that the guard ended."""


def arm(report: Callable[[str], None], target: "list[bytes]") -> None:
    """End this process, after *report*, at its first forbidden act; *target* holds what it may execute."""

    def guard(event: str, args: tuple[object, ...]) -> None:
        if event in _FORBIDDEN or (event in _RUNS and args[0] not in target):
            report(f"the guard stopped {event} {args[:1]!r} after the root was changed")
            os._exit(DIED_BY_GUARD)

    sys.addaudithook(guard)
