"""Addresses `ssh://[user@]host[:port][/socket]`, as the command that brings a stream to the daemon there."""

from __future__ import annotations

from havre.client.errors import ClientError


def ssh_command(text: str) -> list[str]:
    """The command for *text*, which is what stands behind `ssh://`. Raises ClientError."""
    authority, _, path = text.partition("/")
    user, _, place = authority.rpartition("@")
    if ":" in user:
        raise _invalid("plain-text password is not supported")
    host, port = _host_and_port(place)
    if not host:
        raise _invalid("hostname is empty")
    if port and not (port.isascii() and port.isdecimal() and int(port[:6]) < 65536):
        raise _invalid(f"invalid port {port[:32]!r}")
    options = (*(("-p", port) if port else ()), *(("-l", user) if user else ()))
    socket = ("--host", f"unix:///{path}") if path.strip("/") else ()
    return ["ssh", "-T", *options, "--", host, "docker", *socket, "system", "dial-stdio"]


def _host_and_port(place: str) -> tuple[str, str]:
    if place.startswith("["):
        host, _, rest = place[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = place.partition(":")
    return host, port


def _invalid(why: str) -> ClientError:
    return ClientError(f"ssh host connection is not valid: invalid SSH URL: {why}")
