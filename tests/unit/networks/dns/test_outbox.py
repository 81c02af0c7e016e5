"""Answers that leave together arrive one by one, at real sockets."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from havre.networks.dns.outbox import Outbox

Doors = tuple[socket.socket, socket.socket, socket.socket]


def door() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.settimeout(30)
    return made


@pytest.fixture
def doors() -> Iterator[Doors]:
    with ExitStack() as held:
        yield held.enter_context(door()), held.enter_context(door()), held.enter_context(door())


def test_each_client_gets_its_own_answers_in_order(doors: Doors) -> None:
    ours, one, two = doors
    outbox = Outbox(ours)
    said = [b"%03d" % number for number in range(150)]
    for reply in said:
        outbox.put(reply, one.getsockname())
        outbox.put(reply * 2, two.getsockname())
    outbox.send()
    assert [one.recv(4096) for _ in said] == said
    assert [two.recv(4096) for _ in said] == [reply * 2 for reply in said]


def test_lengths_do_not_mix_and_long_answers_fit(doors: Doors) -> None:
    ours, client, _ = doors
    outbox = Outbox(ours)
    said = [b"a" * length for length in (1, 4000, 20_000) for _ in range(5)]
    for reply in said:
        outbox.put(reply, client.getsockname())
    outbox.send()
    assert sorted(client.recv(65_536) for _ in said) == said


def test_what_was_sent_is_not_sent_again(doors: Doors) -> None:
    ours, client, _ = doors
    outbox = Outbox(ours)
    outbox.put(b"one", client.getsockname())
    outbox.send()
    outbox.send()
    outbox.put(b"two", client.getsockname())
    outbox.send()
    assert [client.recv(4096), client.recv(4096)] == [b"one", b"two"]


def test_a_kernel_that_parts_nothing_is_sent_each_alone(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, client, _ = doors
    monkeypatch.setattr("havre.networks.dns.outbox._SEGMENT", 9999)
    outbox = Outbox(ours)
    for _ in range(3):
        outbox.put(b"same", client.getsockname())
    outbox.send()
    assert [client.recv(4096) for _ in range(3)] == [b"same"] * 3


def test_a_client_that_is_gone_hinders_no_other(doors: Doors) -> None:
    ours, client, gone = doors
    outbox = Outbox(ours)
    address = gone.getsockname()
    gone.close()
    for _ in range(3):
        outbox.put(b"lost", address)
        outbox.put(b"kept", client.getsockname())
        outbox.send()
    assert [client.recv(4096) for _ in range(3)] == [b"kept"] * 3
