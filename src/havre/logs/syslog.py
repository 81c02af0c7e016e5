"""Lines to a syslog daemon, in the forms of Docker's syslog driver."""

import os
import time

from havre.logs.peer import Address, Peer
from havre.logs.sink import Lines, Piece

FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *("", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
)
"""Their names; the place is the number."""

FORMATS = ("", "rfc3164", "rfc5424", "rfc5424micro")
LOCAL_PLACES = ("/dev/log", "/var/run/syslog", "/var/run/log")
"""Where the own host's daemon listens."""

_DAEMON = 3
_SEVERITIES = (6, 6, 3)  # of stdin, stdout, stderr: informational, error
_NS = 1_000_000_000


def facility(name: str) -> int:
    """The number of a facility's name or number; empty is `daemon`. Raises ValueError."""
    if not name:
        return _DAEMON
    if name in FACILITIES:
        return FACILITIES.index(name)
    if name.isdigit() and len(name) < 3 and int(name) < len(FACILITIES):
        return int(name)
    raise ValueError("invalid syslog facility")


def parse_address(text: str) -> "Address | None":
    """The address of `unix://…` and the like; None for the own host's daemon. Raises ValueError."""
    if not text:
        return None
    kind, _, place = text.partition("://")
    return Address(kind, place)


class SyslogWriter:
    """Sends each line with its priority and *tag*; see Peer for a daemon that is slow or gone."""

    def __init__(self, options: "dict[str, str]", tag: str, limit: int = 0, *, eager: bool = True) -> None:
        self._facility = facility(options.get("syslog-facility", ""))
        self._form = options.get("syslog-format", "")
        self._tag = tag
        self._host = os.uname().nodename
        self._lines = [Lines() for _ in _SEVERITIES]
        address = parse_address(options.get("syslog-address", "")) or _own_hosts()
        self.peer = Peer(address, limit, eager=eager)

    def write(self, stream: int, data: bytes, time_ns: int = 0) -> None:
        """Take *data* that *stream* said."""
        self._send(stream, self._lines[stream].feed(data, time_ns))

    def end(self, stream: int, time_ns: int = 0) -> None:
        """*stream* has ended."""
        self._send(stream, self._lines[stream].end(time_ns))

    def close(self) -> None:
        """End both streams and the connection."""
        for stream in range(len(self._lines)):
            self.end(stream)
        self.peer.close()

    def _send(self, stream: int, pieces: list[Piece]) -> None:
        priority = self._facility << 3 | _SEVERITIES[stream]
        moment, head, messages = -1, b"", []
        for piece in pieces:
            if piece.time_ns != moment:
                moment, head = piece.time_ns, self._head(priority, piece.time_ns).encode()
            messages.append(b"%b%b\n" % (head, piece.text))
        if messages:
            self.peer.send(messages)

    def _head(self, priority: int, time_ns: int) -> str:
        seconds, nanos = divmod(time_ns, _NS)
        local, pid = time.localtime(seconds), os.getpid()
        if self._form in {"", "rfc3164"}:
            day = time.strftime("%b ", local) + f"{local.tm_mday:2d}" + time.strftime(" %H:%M:%S", local)
            host = f" {self._host}" if self._form else ""
            return f"<{priority}>{day}{host} {self._tag}[{pid}]: "
        zone = time.strftime("%z", local)
        zone = "Z" if zone in {"+0000", ""} else f"{zone[:3]}:{zone[3:]}"
        micros = f".{nanos // 1000:06d}" if self._form == "rfc5424micro" else ""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", local) + micros + zone
        return f"<{priority}>1 {stamp} {self._host} {self._tag} {pid} {self._tag} - "


def _own_hosts() -> Address:
    for place in LOCAL_PLACES:
        if os.path.exists(place):  # noqa: PTH110  no pathlib in the shim
            return Address("unixgram", place)
    return Address("unixgram", LOCAL_PLACES[0])
