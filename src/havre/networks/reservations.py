"""Which ports of the host are ours: each is held by a bound socket, so that nobody else takes it, and no one twice."""

import errno
import itertools
import os
import socket
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from havre.base.errors import ResourceExhausted
from havre.base.exhaustion import EXHAUSTED
from havre.networks.model import PortBusy, PortWish, PublishedPort
from havre.networks.relay import Relay

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_ANY = ("0.0.0.0", "::")
_ABSENT = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
_KINDS = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, 132),
}
_BACKLOG = 128


@dataclass(slots=True)
class _Held:
    port: PublishedPort
    socket: socket.socket | None


@dataclass(slots=True)
class Reservations:
    """The ports held now, by owner; for one thread at a time.

    What reaches such a socket was not led on by the kernel (::1, rules switched off): *relay* carries it.
    """

    relay: Relay
    _held: dict[str, list[_Held]] = field(default_factory=dict)
    _by_number: dict[tuple[int, str], list[PublishedPort]] = field(default_factory=dict)
    _turn: "itertools.count[int]" = field(default_factory=itertools.count)

    def close(self) -> None:
        """Let all go; what the kernel forwards stays so."""
        for owner in list(self._held):
            self.release(owner)

    def reserve(self, owner: str, wishes: Iterable[PortWish], address: str) -> tuple[PublishedPort, ...]:
        """Hold a port for each wish; all or none. Raises PortBusy in Docker's words."""
        with ExitStack() as undo:
            undo.callback(self.release, owner)
            for wish in wishes:
                self._keep(owner, self._choose(wish, address), address)
            undo.pop_all()
        return tuple(each.port for each in self._held.get(owner, ()))

    def retake(self, owner: str, ports: Iterable[PublishedPort], address: str) -> None:
        """Hold the ports of a sandbox that lives; one that somebody has taken meanwhile stays ours in the kernel."""
        for port in ports:
            try:
                held = _bind(port)
            except OSError:
                held = None
            self._keep(owner, [_Held(port, held)], address)

    def retarget(self, owner: str, address: str) -> None:
        """Let what reaches the ports of *owner* be carried to another address of its."""
        for each in self._held.get(owner, ()):
            if each.socket is not None:
                self.relay.redirect(each.socket, address, each.port.port)

    def release(self, owner: str) -> None:
        """Let the ports of *owner* go; an unknown one is no error."""
        for each in self._held.pop(owner, ()):
            self._by_number[_key(each.port)].remove(each.port)
            if not self._by_number[_key(each.port)]:
                del self._by_number[_key(each.port)]
            if each.socket is not None:
                self.relay.stop(each.socket)

    def _keep(self, owner: str, held: list[_Held], address: str) -> None:
        self._held.setdefault(owner, []).extend(held)
        for each in held:
            self._by_number.setdefault(_key(each.port), []).append(each.port)
            if each.socket is not None:
                self.relay.serve(each.socket, each.port.protocol, address, each.port.port)

    def _choose(self, wish: PortWish, address: str) -> list[_Held]:
        refusal: PortBusy | None = None
        for number in self._candidates(wish):
            try:
                return self._hold(wish, number, address)
            except PortBusy as busy:
                refusal = busy
        raise refusal or PortBusy(f"no free port in the range {wish.first}-{wish.last}")

    def _candidates(self, wish: PortWish) -> Iterable[int]:
        if wish.first:
            return range(wish.first, wish.last + 1)
        low, high = (int(word) for word in _RANGE.read_text().split())
        start = next(self._turn) % (high - low + 1)
        return itertools.chain(range(low + start, high + 1), range(low, low + start))

    def _hold(self, wish: PortWish, number: int, address: str) -> list[_Held]:
        with ExitStack() as undo:
            made: list[_Held] = []
            for host_ip in wish.host_ips:
                port = PublishedPort(host_ip, number, wish.protocol, wish.port)
                shown = f"[{host_ip}]" if ":" in host_ip else host_ip
                if any(_clash(port, other) for other in self._by_number.get(_key(port), ())):
                    raise PortBusy(f"Bind for {shown}:{number} failed: port is already allocated")
                try:
                    made.append(_Held(port, _bind(port)))
                except OSError as error:
                    if error.errno in _ABSENT and host_ip == "::" and len(wish.host_ips) > 1:
                        continue  # a host without IPv6
                    if error.errno in EXHAUSTED:
                        raise ResourceExhausted(f"binding port {number}: {os.strerror(error.errno)}") from error
                    target = f"{shown}:{number}:{address}:{wish.port}/{wish.protocol}"
                    reason = _reason(error)
                    raise PortBusy(f"failed to bind host port for {target}: {reason}") from error
                held = made[-1].socket
                if held is not None:
                    undo.callback(held.close)
            undo.pop_all()
        return made


def host_ips(given: str, default: str) -> Sequence[str]:
    """The addresses that a wish for *given* means; none means *default*, and any means both families."""
    chosen = given or default
    return _ANY if chosen == "0.0.0.0" and not given else (chosen,)


def _reason(error: OSError) -> str:
    words = {errno.EADDRINUSE: "address already in use", errno.EADDRNOTAVAIL: "cannot assign requested address"}
    return words.get(error.errno or 0, (error.strerror or str(error)).lower())


def _key(port: PublishedPort) -> tuple[int, str]:
    return port.host_port, port.protocol


def _clash(one: PublishedPort, other: PublishedPort) -> bool:
    """Whether two ports of one number and protocol are for the same address."""
    if (":" in one.host_ip) != (":" in other.host_ip):
        return False
    return one.host_ip == other.host_ip or one.host_ip in _ANY or other.host_ip in _ANY


def _bind(port: PublishedPort) -> socket.socket | None:
    """A socket that holds the port. Raises OSError; None where the kernel has no such protocol."""
    family = socket.AF_INET6 if ":" in port.host_ip else socket.AF_INET
    kind, number = _KINDS[port.protocol]
    try:
        held = socket.socket(family, kind, number)
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT and port.protocol == "sctp":
            return None
        raise
    try:
        if port.protocol != "udp":
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        held.bind((port.host_ip, port.host_port))
        if port.protocol == "tcp":
            held.listen(_BACKLOG)
    except BaseException:
        held.close()
        raise
    return held
