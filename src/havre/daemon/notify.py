"""What systemd is told, and the sockets it hands over: sd_notify(3), sd_listen_fds(3)."""

import os
import socket
from collections.abc import MutableMapping
from typing import Final

from havre.base.errors import InvalidInput

_FIRST: Final = 3


def tell(state: str, environment: MutableMapping[str, str] = os.environ) -> None:
    """Send *state* to whoever started us and wants to know; nobody does outside systemd."""
    address = environment.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        try:
            out.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            return


def inherited_sockets(name: str, environment: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """The listening sockets behind `fd://NAME`: all of them for no name or `*`, else those of a name or number.

    Raises InvalidInput when there is none.
    """
    count = 0
    if environment.get("LISTEN_PID") == str(os.getpid()) and environment.get("LISTEN_FDS", "").isdigit():
        count = int(environment["LISTEN_FDS"])
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    numbers = range(_FIRST, _FIRST + count)
    chosen = [
        number
        for number, named in zip(numbers, names + [""] * count, strict=False)
        if name in ("", "*", str(number), named)
    ]
    if not chosen:
        raise InvalidInput("no sockets found via socket activation: make sure the service was started by systemd")
    for number in chosen:
        os.set_inheritable(number, False)
    return [socket.socket(fileno=number) for number in chosen]
