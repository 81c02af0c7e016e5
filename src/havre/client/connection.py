"""One HTTP/1.1 connection to a daemon: unix, TCP, TLS or ssh; blocking, and small enough to start fast."""

from __future__ import annotations

import os
from _socket import AF_UNIX, SHUT_RDWR, SOCK_STREAM
from _socket import socket as plain_socket

from havre.client.errors import ClientError, ConnectionFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator

Stream = plain_socket  # the class below `socket.socket`, without the import of selectors and enum
_CHUNK = 65536
_MAX_HEAD = 1 << 20
_EARLY = "the daemon closed the connection before it answered"
_MIDDLE = "the daemon closed the connection in the middle of an answer"


class Address:
    """Where a daemon listens: `unix:///path`, `tcp://host:port` or `ssh://[user@]host[:port][/socket]`."""

    __slots__ = ("host", "port", "scheme", "text", "tls")

    def __init__(self, text: str, tls: TlsFiles | None = None) -> None:
        self.text, self.tls = text, tls
        self.scheme, separator, rest = text.partition("://")
        if not separator or self.scheme not in ("unix", "tcp", "ssh"):
            raise ClientError(f"unable to parse docker host `{text}`")
        self.host, self.port = rest, 0
        if self.scheme == "tcp":
            host, _, port = rest.rstrip("/").rpartition(":")
            if not (port.isascii() and port.isdecimal() and int(port[:6]) < 65536):
                raise ClientError(f"unable to parse docker host `{text}`")
            self.host, self.port = host.strip("[]"), int(port)
        elif self.scheme == "ssh":
            _ssh_command(rest)

    def connect(self) -> Stream:
        """A connected stream. Raises ConnectionFailed."""
        try:
            if self.scheme == "unix":
                return _over_unix(self.host or "/run/havre.sock")
            if self.scheme == "tcp":
                return self._over_tcp()
            return _over_ssh(self.host)
        except PermissionError as error:
            raise ClientError(
                f"permission denied while trying to connect to the daemon socket at {self.text}: {error.strerror}"
            ) from error
        except OSError as error:
            raise ConnectionFailed(self.text) from error

    def _over_tcp(self) -> Stream:
        import socket

        plain = socket.create_connection((self.host, self.port), 30)
        plain.settimeout(None)
        try:
            return self.tls.wrap(plain, self.host) if self.tls else plain
        except BaseException:
            plain.close()
            raise


class TlsFiles:
    """The certificates of a TLS connection; *verify* checks the daemon's name against the CA."""

    __slots__ = ("ca", "certificate", "key", "verify")

    def __init__(self, ca: str, certificate: str, key: str, *, verify: bool) -> None:
        self.ca, self.certificate, self.key, self.verify = ca, certificate, key, verify

    def wrap(self, plain: socket.socket, host: str) -> Stream:
        """The TLS layer on a connected socket. Raises ClientError for files that cannot be used, too."""
        import ssl

        try:
            context = ssl.create_default_context(cafile=self.ca if self.verify else None)
            if not self.verify:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if os.path.exists(self.certificate):
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            raise ClientError(
                f"cannot set up TLS with {self.ca}, {self.certificate} and {self.key}: {error}"
            ) from error
        try:
            return context.wrap_socket(plain, server_hostname=host)
        except ssl.SSLError as error:
            raise ClientError(f"error during connect: tls: {error.reason}") from error


class Response:
    """An answer whose body is read as it arrives."""

    __slots__ = ("_chunked", "_left", "_stream", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], stream: Buffered, *, bodiless: bool = False) -> None:
        self.status, self.headers, self._stream = status, headers, stream
        length = headers.get("content-length")
        self._left = 0 if bodiless or status in (204, 304) else _number(length, 10) if length else -1
        self._chunked = self._left != 0 and headers.get("transfer-encoding", "").lower() == "chunked"

    @property
    def complete(self) -> bool:
        """Whether the body, by its own measure, was read to its end."""
        return self._left == 0

    def chunks(self) -> Iterator[bytes]:
        """Pieces of the body; the connection can be used again once they are all read."""
        if self._chunked:
            yield from self._chunks()
            return
        while self._left:
            piece = self._stream.some(self._left)
            if not piece:
                if self._left > 0:
                    raise ClientError(_MIDDLE)
                return
            if self._left > 0:
                self._left -= len(piece)
            yield piece

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks())

    def lines(self) -> Iterator[bytes]:
        """The body's lines, each as soon as it is whole."""
        held = b""
        for piece in self.chunks():
            *whole, held = (held + piece).split(b"\n")
            for line in whole:
                if line.strip():
                    yield line
        if held.strip():
            yield held

    def _chunks(self) -> Iterator[bytes]:
        while self._left and (size := _number(self._stream.line().partition(b";")[0].decode("latin-1").strip(), 16)):
            while size:
                piece = self._stream.some(size)
                if not piece:
                    raise ClientError(_MIDDLE)
                size -= len(piece)
                yield piece
            if self._stream.line():
                raise ClientError("the daemon's answer is no HTTP: a chunk is longer than it says")
        while self._left and self._stream.line():
            pass
        self._left = 0


class Buffered:
    """A socket with what was read too far ahead."""

    __slots__ = ("ahead", "socket")

    def __init__(self, stream: Stream) -> None:
        self.socket, self.ahead = stream, b""

    def some(self, limit: int) -> bytes:
        """At least one byte and at most *limit* (negative: any number); empty at the end."""
        size = limit if limit > 0 else _CHUNK
        if self.ahead:
            piece, self.ahead = self.ahead[:size], self.ahead[size:]
            return piece
        return self._received(min(size, _CHUNK), _MIDDLE)

    def until(self, mark: bytes, lost: str = _EARLY) -> bytes:
        """Everything before *mark*, which is taken too. Raises ClientError saying *lost* when it does not come."""
        while mark not in self.ahead:
            if len(self.ahead) > _MAX_HEAD:
                raise ClientError("the daemon's answer is no HTTP: its head does not end")
            piece = self._received(_CHUNK, lost)
            if not piece:
                raise ClientError(lost)
            self.ahead += piece
        head, _, self.ahead = self.ahead.partition(mark)
        return head

    def line(self) -> bytes:
        """One line without its CRLF."""
        return self.until(b"\r\n", _MIDDLE)

    def _received(self, size: int, lost: str) -> bytes:
        try:
            return self.socket.recv(size)
        except OSError as error:  # reset, or broken off in the TLS layer
            raise ClientError(lost) from error


class Connection:
    """Requests, one after the other, on one stream."""

    __slots__ = ("_answered", "_host", "_stream")

    def __init__(self, address: Address) -> None:
        self._stream = Buffered(address.connect())
        host = f"[{address.host}]" if ":" in address.host else address.host
        self._host = "api.moby.localhost" if address.scheme != "tcp" else f"{host}:{address.port}"
        self._answered: Response | None = None

    @property
    def reusable(self) -> bool:
        """Whether another request can follow: both sides said all of the last one, and nobody hung up."""
        if self._answered is None or not self._answered.complete or self._stream.ahead:
            return False
        import select

        watched = select.poll()
        watched.register(self._stream.socket.fileno(), select.POLLIN)
        return not watched.poll(0)

    def request(
        self, method: str, target: str, headers: dict[str, str], body: bytes | Iterable[bytes] | None
    ) -> Response:
        """Send one request (an iterable body goes out in chunks) and read the head of the answer.

        A daemon that refuses early hangs up while we send; its answer tells why.
        """
        fields = {"Host": self._host, "User-Agent": "Havre-Client", **headers}
        if isinstance(body, bytes):
            fields["Content-Length"] = str(len(body))
        elif body is not None:
            fields["Transfer-Encoding"] = "chunked"
        elif method == "POST" and "Upgrade" not in fields:
            fields["Content-Length"] = "0"
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n"
        self._answered = None
        first = head.encode("latin-1") + (body if isinstance(body, bytes) else b"")
        sent = self._send(first) and (body is None or isinstance(body, bytes) or self._send_chunks(body))
        response, stays = self._answer(method)
        if sent and stays:
            self._answered = response
        return response

    def _send(self, data: bytes) -> bool:
        try:
            self._stream.socket.sendall(data)
        except OSError:
            return False
        return True

    def _send_chunks(self, body: Iterable[bytes]) -> bool:
        sent = all(self._send(b"%x\r\n%s\r\n" % (len(piece), piece)) for piece in body if piece)
        return sent and self._send(b"0\r\n\r\n")

    def _answer(self, method: str) -> tuple[Response, bool]:
        """The answer, and whether the daemon keeps the connection."""
        status = 100
        status_line, lines = "", [""]
        while 100 <= status < 200 and status != 101:
            status_line, *lines = self._stream.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            protocol, _, rest = status_line.partition(" ")
            if not protocol.startswith("HTTP/1."):
                raise ClientError(f"the daemon's answer is no HTTP: {status_line[:200]!r}")
            status = _number(rest[:3], 10)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        stays = status_line.startswith("HTTP/1.1") and headers.get("connection", "").lower() != "close"
        return Response(status, headers, self._stream, bodiless=method == "HEAD"), stays

    def take_over(self) -> tuple[socket.socket, bytes]:
        """After an upgrade: the raw stream, and what was already read of it."""
        import socket

        stream = self._stream.socket
        if not isinstance(stream, socket.socket):
            stream = socket.socket(fileno=stream.detach())
        return stream, self._stream.ahead

    def close(self) -> None:
        """Close the stream."""
        self._stream.socket.close()

    def hang_up(self) -> None:
        """End the stream in both directions; it is not closed yet."""
        try:
            self._stream.socket.shutdown(SHUT_RDWR)
        except OSError:
            return  # it had ended before


def _number(text: str, base: int) -> int:
    """A number as HTTP writes it: digits alone. Raises ClientError."""
    if not (0 < len(text) <= 18 and set(text.lower()) <= set("0123456789abcdef"[:base])):
        raise ClientError(f"the daemon's answer is no HTTP: {text[:40]!r} is no number")
    return int(text, base)


def _over_unix(path: str) -> Stream:
    stream = Stream(AF_UNIX, SOCK_STREAM)
    try:
        stream.connect(path)
    except BaseException:
        stream.close()
        raise
    return stream


def _over_ssh(host: str) -> Stream:
    """`ssh HOST docker system dial-stdio` on a socket pair: the user's own ssh config and agent serve."""
    import socket

    ours, theirs = socket.socketpair()
    actions = [(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0), (os.POSIX_SPAWN_DUP2, theirs.fileno(), 1)]
    try:
        os.posix_spawnp("ssh", _ssh_command(host), os.environ, file_actions=actions)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return ours


def _ssh_command(rest: str) -> list[str]:
    from havre.client.ssh import ssh_command  # few daemons are that far away

    return ssh_command(rest)
