"""The sockets that -H names: made, bound and listening before anything else is loaded."""

import contextlib
import errno
import grp
import os
import socket
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from havre.base.errors import Conflict, InvalidInput, Unavailable
from havre.daemon.config import DEFAULT_GROUP, Config
from havre.daemon.doors import Door
from havre.daemon.notify import inherited_sockets

_BACKLOG: Final = 1024
_PLAIN_PORT, _TLS_PORT = 2375, 2376
_UNIX_PATH_BYTES: Final = 107
_LOOPBACK: Final = ("127.", "::1")
_Address: TypeAlias = "tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]"


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket; *path* is the file that goes when it closes; *encrypted* says that TLS belongs on it.

    With *door*, it lets through only what that says.
    """

    address: str
    socket: socket.socket
    path: Path | None = None
    inode: tuple[int, int] = (0, 0)
    encrypted: bool = False
    door: Door | None = None

    def close(self) -> None:
        """Listen no more, and take the file away unless another daemon has put its own there."""
        if self.path is not None:
            with contextlib.suppress(OSError):
                if _inode(self.path) == self.inode:
                    self.path.unlink()
        self.socket.close()


def open_listeners(config: Config) -> tuple[list[Listener], list[str]]:
    """Every listener of the configuration, and what the log should warn of. Raises a HavreError."""
    opened: list[Listener] = []
    warnings: list[str] = []
    try:
        for host in config.hosts:
            opened += _open(host, config, warnings)
        for door in config.doors:
            opened.append(replace(_open_unix(door.path, door.group or config.group, warnings), door=door))
    except BaseException:
        for listener in opened:
            listener.close()
        raise
    return opened, warnings


def _open(host: str, config: Config, warnings: list[str]) -> list[Listener]:
    scheme, separator, rest = host.partition("://")
    if not separator:
        scheme, rest = ("unix", host) if host.startswith("/") else ("tcp", host)
    if scheme == "unix":
        return [_open_unix(Path(rest or "/run/havre.sock"), config.group, warnings)]
    if scheme == "tcp":
        return _open_tcp(rest, config, warnings)
    if scheme == "fd":
        return [
            Listener(host, given, encrypted=given.family != socket.AF_UNIX and bool(config.tls.wanted))
            for given in inherited_sockets(rest)
        ]
    raise InvalidInput(f"invalid bind address format: {host[:256]}")


def _open_unix(path: Path, group: str, warnings: list[str]) -> Listener:
    if not path.is_absolute():
        raise InvalidInput(f"invalid bind address: unix://{path} is not absolute")
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # A path in a deep folder is longer than sockaddr_un takes; through the folder's descriptor it is not: unix(7).
        short = str(path) if len(os.fsencode(path)) <= _UNIX_PATH_BYTES else f"/proc/self/fd/{folder}/{path.name}"
        _clear_stale(path, short)
        before = os.umask(0o117)
        try:
            listening.bind(short)
        finally:
            os.umask(before)
        os.chown(path, -1, _group_id(path, group, warnings))
        listening.listen(_BACKLOG)
    except OSError as failed:
        listening.close()
        raise Unavailable(f"failed to listen on unix://{path}: {failed.strerror}") from failed
    except BaseException:
        listening.close()
        raise
    finally:
        os.close(folder)
    return Listener(f"unix://{path}", listening, path, _inode(path))


def _clear_stale(path: Path, short: str) -> None:
    """Remove the socket of a daemon that is gone. Raises Conflict when somebody answers there."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Conflict(f"cannot listen on {path}: a file that is no socket is in the way")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        try:
            probe.connect(short)
        except OSError as failed:
            if failed.errno not in (errno.ECONNREFUSED, errno.ENOENT):
                raise
        else:
            raise Conflict(f"cannot listen on {path}: another daemon answers there")
    path.unlink(missing_ok=True)


def _group_id(path: Path, group: str, warnings: list[str]) -> int:
    """The group of the socket: without the default one only root gets in; a group asked for must be there."""
    try:
        return grp.getgrnam(group or DEFAULT_GROUP).gr_gid
    except KeyError:
        if group and group.isdigit():
            return int(group)
        if group and group != DEFAULT_GROUP:
            raise InvalidInput(f"group {group} not found") from None
        warnings.append(f"could not change group {path} to {DEFAULT_GROUP}: group {DEFAULT_GROUP} not found")
        return os.getgid()


def _open_tcp(rest: str, config: Config, warnings: list[str]) -> list[Listener]:
    host, port = _split_address(rest, _TLS_PORT if config.tls.wanted else _PLAIN_PORT)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as failed:
        raise InvalidInput(f"invalid bind address: tcp://{rest[:256]}: {failed.strerror}") from None
    local = all(str(address[0]).startswith(_LOOPBACK) for *_, address in found)
    if not (config.tls.wanted and config.tls.verify):
        _check_open_door(rest, config, warnings, local=local)
    return [_listen_tcp(family, address, encrypted=bool(config.tls.wanted)) for family, _, _, _, address in found]


def _check_open_door(rest: str, config: Config, warnings: list[str], *, local: bool) -> None:
    """Whoever reaches this port is root here. Beyond loopback that must have been said twice."""
    if not local and config.tls.wanted is None:
        raise InvalidInput(
            f"tcp://{rest} would give root's rights on this host to everyone who can reach it: use --tlsverify, "
            "or say --tls=false as well if that is what you want"
        )
    scheme = "https" if config.tls.wanted else "http"
    warnings.append(
        f"API is accessible on {scheme}://{rest} without {'verifying clients' if config.tls.wanted else 'encryption'}. "
        "Access to the remote API is equivalent to root access on the host."
    )


def _listen_tcp(family: int, address: _Address, *, encrypted: bool) -> Listener:
    listening = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    host, port = str(address[0]), str(address[1])
    text = f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}"
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Accepted connections inherit these: tcp(7).
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as failed:
        listening.close()
        raise Unavailable(f"failed to listen on tcp://{text}: {failed.strerror}") from failed
    return Listener(f"tcp://{text}", listening, encrypted=encrypted)


def _split_address(text: str, default_port: int) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if text.endswith("]") or not colon:
        host, port = text, ""
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536):
        raise InvalidInput(f"invalid bind address: tcp://{text[:256]}: the port is no number below 65536")
    return host.strip("[]") or "localhost", int(port) if port else default_port


def _inode(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino
