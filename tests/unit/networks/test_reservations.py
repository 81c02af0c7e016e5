"""N-07: which ports of the host are ours."""

from __future__ import annotations

import errno
import os
import socket
from unittest import mock

import pytest

from havre.base.errors import ResourceExhausted
from havre.networks import reservations as module
from havre.networks.model import PortBusy, PortWish
from havre.networks.reservations import Reservations

COUNT = 20_000


class Relay:
    """Carries nothing."""

    def serve(self, *_: object) -> None:
        """Take a socket."""

    def stop(self, held: socket.socket) -> None:
        held.close()


def wish(first: int, last: int, port: int = 80, host_ip: str = "127.0.0.1") -> PortWish:
    return PortWish((host_ip,), first, last, "tcp", port)


@pytest.fixture
def held() -> Reservations:
    return Reservations(Relay())  # type: ignore[arg-type]  # what is used of it


def test_every_port_there_is_costs_no_more_than_its_share(held: Reservations, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for a clash does not go through all that is held: with 40,000 that alone would take minutes."""
    compared = mock.Mock(side_effect=module._clash)
    monkeypatch.setattr(module, "_clash", compared)
    monkeypatch.setattr(module, "_bind", lambda _: None)
    held.reserve("one", [wish(number, number) for number in range(1, COUNT)], "172.17.0.2")
    held.reserve("two", [wish(number, number, host_ip="127.0.0.2") for number in range(1, COUNT)], "172.17.0.3")
    assert compared.call_count <= COUNT
    with pytest.raises(PortBusy, match="port is already allocated"):
        held.reserve("three", [wish(7, 7)], "172.17.0.4")
    held.release("one")
    held.reserve("three", [wish(7, 7)], "172.17.0.4")
    held.close()
    assert not held._by_number


def test_being_out_of_handles_is_no_busy_port(held: Reservations, monkeypatch: pytest.MonkeyPatch) -> None:
    """One port is tried, not the whole range."""
    bind = mock.Mock(side_effect=OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
    monkeypatch.setattr(module, "_bind", bind)
    with pytest.raises(ResourceExhausted, match="Too many open files"):
        held.reserve("one", [wish(1, 65535)], "172.17.0.2")
    assert bind.call_count == 1
    assert not held._held
