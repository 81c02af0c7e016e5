"""Messages with descriptors over SOCK_SEQPACKET unix sockets, and unix sockets at paths of any length."""

import _socket
import array
import os
import socket
from collections.abc import Callable, Sequence

from havre.kernel.files import is_sealed, sealed_memory
from havre.kernel.libc import KernelError, StrPath, shown

INLINE_LIMIT = 64 << 10
MESSAGE_LIMIT = 64 << 20
DESCRIPTOR_LIMIT = 64

_INLINE, _IN_MEMORY = b"i", b"m"
_ANCILLARY = socket.CMSG_SPACE((DESCRIPTOR_LIMIT + 1) * 4)
_SUN_PATH = 107
_Received = tuple[bytes, list[tuple[int, int, bytes]], int, object]


class ChannelClosed(EOFError):
    """The other end is gone: nothing more will come, nothing more is taken."""


class Channel:
    """Whole messages, each with descriptors, both ways.

    Blocking or not as the socket is: without blocking, `send` and `receive` raise BlockingIOError instead of
    waiting, and nothing was sent or lost. A message too long for a packet travels in sealed memory.
    """

    def __init__(self, sock: _socket.socket) -> None:
        self.socket = sock

    @classmethod
    def pair(cls) -> "tuple[Channel, Channel]":
        """Two ends joined: socketpair(2)."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(one), cls(other)

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self.socket.fileno()

    def close(self) -> None:
        """Close this end."""
        self.socket.close()

    def send(self, data: bytes, fds: Sequence[int] = ()) -> None:
        """Send one message; *fds* stay open here. Raises ChannelClosed, or ValueError beyond the limits."""
        if len(data) > MESSAGE_LIMIT or len(fds) > DESCRIPTOR_LIMIT:
            raise ValueError(f"message of {len(data)} bytes and {len(fds)} descriptors is over the limit")
        if len(data) <= INLINE_LIMIT:
            self._send([_INLINE, data], fds)
            return
        memory = sealed_memory("message", data)
        try:
            self._send([_IN_MEMORY], [memory, *fds])
        finally:
            os.close(memory)

    def receive(self) -> tuple[bytes, list[int]]:
        """The next message and its descriptors, all close-on-exec and the caller's to close. Raises ChannelClosed."""
        data, ancillary, flags, _ = self._next()
        fds = array.array("i")
        for level, kind, piece in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(piece[: len(piece) - len(piece) % fds.itemsize])
        received = fds.tolist()
        if not data:
            _close_all(received)
            raise ChannelClosed("the other end has closed the channel")
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            _close_all(received)
            raise ValueError("a message over the limit came in cut")
        if data[:1] == _INLINE:
            return data[1:], received
        return self._from_memory(received)

    def _next(self) -> _Received:
        """One message, also the last words of an end that closed without reading ours.

        unix(7) tells of such a close once, by ECONNRESET, and before it hands out what is still in the queue.
        """
        try:
            return self.socket.recvmsg(INLINE_LIMIT + 1, _ANCILLARY, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            pass
        except ConnectionError as error:
            raise ChannelClosed(str(error)) from error
        try:
            return self.socket.recvmsg(INLINE_LIMIT + 1, _ANCILLARY, socket.MSG_CMSG_CLOEXEC)
        except ConnectionError as error:
            raise ChannelClosed(str(error)) from error

    def _send(self, parts: list[bytes], fds: Sequence[int]) -> None:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            self.socket.sendmsg(parts, rights, socket.MSG_NOSIGNAL)
        except (BrokenPipeError, ConnectionError) as error:
            raise ChannelClosed(str(error)) from error

    @staticmethod
    def _from_memory(received: list[int]) -> tuple[bytes, list[int]]:
        if not received or not is_sealed(received[0]) or os.fstat(received[0]).st_size > MESSAGE_LIMIT:
            _close_all(received)
            raise ValueError("a message without its memory came in")
        try:
            size = os.fstat(received[0]).st_size
            data = bytearray()
            while piece := os.pread(received[0], size - len(data), len(data)):
                data += piece
            return bytes(data), received[1:]
        finally:
            os.close(received[0])


def listen(path: StrPath, *, mode: int = 0o600, backlog: int = 16, kind: int = socket.SOCK_SEQPACKET) -> socket.socket:
    """A listening socket made at *path* with exactly the permissions *mode*. KernelError (EADDRINUSE) when taken."""
    sock = socket.socket(socket.AF_UNIX, kind)
    try:
        os.fchmod(sock.fileno(), mode)  # the node takes them over at bind, less the umask: never more than *mode*

        def bind(address: bytes) -> None:
            sock.bind(address)
            os.chmod(address, mode)  # noqa: PTH101  no pathlib in the launcher

        _at_path(path, bind, "listen at")
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def connect(path: StrPath, *, kind: int = socket.SOCK_SEQPACKET) -> socket.socket:
    """A socket connected to who listens at *path*. KernelError (ENOENT, ECONNREFUSED) when nobody does."""
    sock = socket.socket(socket.AF_UNIX, kind)
    try:
        _at_path(path, sock.connect, "connect to")
    except BaseException:
        sock.close()
        raise
    return sock


def _at_path(path: StrPath, act: Callable[[bytes], None], doing: str) -> None:
    """Call *act* with an address of at most 107 bytes for *path*: a long one goes through its folder's handle."""
    raw = os.fsencode(path)
    folder = -1
    try:
        if len(raw) > _SUN_PATH:
            head, name = os.path.split(raw)
            folder = os.open(head, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            raw = b"/proc/self/fd/%d/%s" % (folder, name)
        act(raw)
    except OSError as error:
        raise KernelError.of(error.errno or 0, f"{doing} {shown(path)}") from error
    finally:
        if folder >= 0:
            os.close(folder)


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
