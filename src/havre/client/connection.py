"""One HTTP/1.1 connection to a daemon: unix, TCP, TLS or ssh; blocking, and small enough to start fast."""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_STREAM
from _socket import socket as plain_socket

from havre.client.errors import ClientError, ConnectionFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator

Stream = plain_socket  # the class below `socket.socket`, without the import of selectors and enum
_CHUNK = 65536
_MAX_HEAD = 1 << 20


class Address:
    """Where a daemon listens: `unix:///path`, `tcp://host:port` or `ssh://[user@]host[:port]`."""

    __slots__ = ("host", "port", "scheme", "text", "tls")

    def __init__(self, text: str, tls: TlsFiles | None = None) -> None:
        self.text, self.tls = text, tls
        self.scheme, separator, rest = text.partition("://")
        if not separator or self.scheme not in ("unix", "tcp", "ssh"):
            raise ClientError(f"unable to parse docker host `{text}`")
        self.host, self.port = rest, 0
        if self.scheme == "tcp":
            host, _, port = rest.rstrip("/").rpartition(":")
            if not port.isdecimal():
                raise ClientError(f"unable to parse docker host `{text}`")
            self.host, self.port = host.strip("[]"), int(port)

    def connect(self) -> Stream:
        """A connected stream. Raises ConnectionFailed."""
        try:
            if self.scheme == "unix":
                stream = Stream(AF_UNIX, SOCK_STREAM)
                stream.connect(self.host or "/run/havre.sock")
                return stream
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
        return self.tls.wrap(plain, self.host) if self.tls else plain


class TlsFiles:
    """The certificates of a TLS connection; *verify* checks the daemon's name against the CA."""

    __slots__ = ("ca", "certificate", "key", "verify")

    def __init__(self, ca: str, certificate: str, key: str, *, verify: bool) -> None:
        self.ca, self.certificate, self.key, self.verify = ca, certificate, key, verify

    def wrap(self, plain: socket.socket, host: str) -> Stream:
        """The TLS layer on a connected socket."""
        import ssl

        context = ssl.create_default_context(cafile=self.ca if self.verify else None)
        if not self.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if os.path.exists(self.certificate):
            context.load_cert_chain(self.certificate, self.key)
        try:
            return context.wrap_socket(plain, server_hostname=host)
        except ssl.SSLError as error:
            raise ClientError(f"error during connect: tls: {error.reason}") from error


class Response:
    """An answer whose body is read as it arrives."""

    __slots__ = ("_left", "_stream", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], stream: Buffered) -> None:
        self.status, self.headers, self._stream = status, headers, stream
        length = headers.get("content-length")
        self._left = 0 if status in (204, 304) else int(length) if length else -1

    def chunks(self) -> Iterator[bytes]:
        """Pieces of the body; the connection can be used again once they are all read."""
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            yield from self._chunked()
            return
        while self._left:
            piece = self._stream.some(self._left)
            if not piece:
                if self._left > 0:
                    raise ClientError("the daemon closed the connection in the middle of an answer")
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

    def _chunked(self) -> Iterator[bytes]:
        while size := int(self._stream.line().partition(b";")[0], 16):
            while size:
                piece = self._stream.some(size)
                if not piece:
                    raise ClientError("the daemon closed the connection in the middle of an answer")
                size -= len(piece)
                yield piece
            self._stream.line()
        while self._stream.line():
            pass


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
        return self.socket.recv(min(size, _CHUNK))

    def until(self, mark: bytes) -> bytes:
        """Everything before *mark*, which is taken too."""
        while mark not in self.ahead:
            piece = self.socket.recv(_CHUNK)
            if not piece or len(self.ahead) > _MAX_HEAD:
                raise ClientError("the daemon closed the connection before it answered")
            self.ahead += piece
        head, _, self.ahead = self.ahead.partition(mark)
        return head

    def line(self) -> bytes:
        """One line without its CRLF."""
        return self.until(b"\r\n")


class Connection:
    """Requests, one after the other, on one stream."""

    __slots__ = ("_host", "_stream")

    def __init__(self, address: Address) -> None:
        self._stream = Buffered(address.connect())
        self._host = "api.moby.localhost" if address.scheme != "tcp" else f"{address.host}:{address.port}"

    def request(
        self, method: str, target: str, headers: dict[str, str], body: bytes | Iterable[bytes] | None
    ) -> Response:
        """Send one request (an iterable body goes out in chunks) and read the head of the answer."""
        fields = {"Host": self._host, "User-Agent": "Havre-Client", **headers}
        if isinstance(body, bytes):
            fields["Content-Length"] = str(len(body))
        elif body is not None:
            fields["Transfer-Encoding"] = "chunked"
        elif method == "POST" and "Upgrade" not in fields:
            fields["Content-Length"] = "0"
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n"
        first = head.encode("latin-1") + (body if isinstance(body, bytes) else b"")
        self._stream.socket.sendall(first)
        if body is not None and not isinstance(body, bytes):
            self._send_chunks(body)
        return self._answer()

    def _send_chunks(self, body: Iterable[bytes]) -> None:
        send = self._stream.socket.sendall
        try:
            for piece in body:
                if piece:
                    send(b"%x\r\n%s\r\n" % (len(piece), piece))
            send(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            return  # the daemon refused early; its answer tells why

    def _answer(self) -> Response:
        while True:
            try:
                status_line, *lines = self._stream.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            except ConnectionResetError:
                raise ClientError("the daemon closed the connection before it answered") from None
            status = int(status_line.split(" ", 2)[1])
            if status != 100:
                break
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Response(status, headers, self._stream)

    def take_over(self) -> tuple[Stream, bytes]:
        """After an upgrade: the raw stream, and what was already read of it."""
        return self._stream.socket, self._stream.ahead

    def close(self) -> None:
        """Close the stream."""
        self._stream.socket.close()


def _over_ssh(host: str) -> Stream:
    """`ssh HOST havre system dial-stdio` on a socket pair: the user's own ssh config and agent serve."""
    import socket

    ours, theirs = socket.socketpair()
    name, _, port = host.rstrip("/").partition(":")
    command = ["ssh", *(("-p", port) if port else ()), "--", name, "docker", "system", "dial-stdio"]
    actions = [(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0), (os.POSIX_SPAWN_DUP2, theirs.fileno(), 1)]
    os.posix_spawnp("ssh", command, os.environ, file_actions=actions)
    theirs.close()
    return ours
