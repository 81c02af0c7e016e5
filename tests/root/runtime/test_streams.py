"""Attachments: what clients read and write, half-closes, detach keys, slow readers."""

from __future__ import annotations

import asyncio
import hashlib
import socket

import pytest

from havre.logs.frame import parse_header
from havre.runtime.errors import NoSuchProcess
from havre.runtime.runtime import AttachWishes, LogTarget, Stdio
from tests.support.bundles import Client, Place

pytestmark = pytest.mark.root

INPUT = AttachWishes(stdin=True)


async def attach(place: Place, shim: object, wishes: AttachWishes) -> tuple[Client, asyncio.Task[bool]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    async def run() -> bool:
        try:
            return await shim.attach(theirs, wishes)  # type: ignore[attr-defined,no-any-return]
        finally:
            theirs.close()

    return Client(ours), asyncio.get_running_loop().create_task(run())


def unframed(data: bytes) -> dict[int, bytes]:
    found = {1: b"", 2: b""}
    while data:
        stream, size = parse_header(data[:8])
        found[stream] += data[8 : 8 + size]
        data = data[8 + size :]
    return found


async def test_half_close_ends_the_programs_input_and_output_goes_on(place: Place) -> None:
    stdio = Stdio(stdin=True, stdin_once=True)
    shim, client = await place.launch(place.bundle("sh", "-c", "cat; echo after; exit 5", stdio=stdio), INPUT)
    await client.write(b"hello\n")
    client.half_close()
    assert await client.read_all() == "hello\nafter\n"
    assert (await shim.wait_exit()).code == 5
    client.close()
    await place.runtime.remove(shim.id)


async def test_input_that_is_not_once_outlives_its_client(place: Place) -> None:
    shim, first = await place.launch(place.bundle("cat", stdio=Stdio(stdin=True)), INPUT)
    await first.write(b"one\n")
    await first.read_until(b"one")
    first.half_close()
    assert await first.read_all() == ""
    assert not shim.ended.done()
    second, ended = await attach(place, shim, INPUT)
    await second.write(b"two\n")
    await second.read_until(b"two")
    second.close()
    assert await ended is False
    first.close()
    await place.end(shim)


async def test_an_early_half_close_without_wanted_input_changes_nothing(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sh", "-c", "sleep 0.1; echo late"))
    client.half_close()
    assert await client.read_all() == "late\n"
    client.close()
    await shim.wait_exit()
    await place.runtime.remove(shim.id)


async def test_early_bytes_come_first(place: Place) -> None:
    wishes = AttachWishes(stdin=True, early=b"first ")
    shim, client = await place.launch(place.bundle("cat", stdio=Stdio(stdin=True, stdin_once=True)), wishes)
    await client.write(b"second")
    client.half_close()
    assert await client.read_all() == "first second"
    client.close()
    await shim.wait_exit()
    await place.runtime.remove(shim.id)


async def test_frames_tell_the_streams_apart(place: Place) -> None:
    wishes = AttachWishes(framed=True)
    shim, client = await place.launch(place.bundle("sh", "-c", "echo out; echo err >&2"), wishes)
    assert unframed(await client.read_bytes()) == {1: b"out\n", 2: b"err\n"}
    client.close()
    await shim.wait_exit()
    await place.runtime.remove(shim.id)


async def test_only_wanted_streams(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sh", "-c", "echo out; echo err >&2"), AttachWishes(stdout=False))
    assert await client.read_all() == "err\n"
    client.close()
    await shim.wait_exit()
    await place.runtime.remove(shim.id)


async def test_much_through_a_slow_reader_is_whole(place: Place) -> None:
    program = "dd if=/dev/zero bs=65536 count=200 2>/dev/null"
    shim, client = await place.launch(place.bundle("sh", "-c", program, log=LogTarget()))
    size = 0
    while part := await client.read(1 << 20):
        size += len(part)
        await asyncio.sleep(0)
    assert size == 200 * 65536
    client.close()
    await shim.wait_exit()
    await place.runtime.remove(shim.id)


async def test_input_round_trip_keeps_every_byte(place: Place) -> None:
    data = bytes(range(256)) * 4096
    shim, client = await place.launch(
        place.bundle("cat", stdio=Stdio(stdin=True, stdin_once=True), log=LogTarget()), INPUT
    )

    async def send() -> None:
        await client.write(data)
        client.half_close()

    sending = asyncio.get_running_loop().create_task(send())
    received = await client.read_bytes()
    await sending
    assert hashlib.sha256(received).digest() == hashlib.sha256(data).digest()
    client.close()
    await shim.wait_exit()
    await place.runtime.remove(shim.id)


async def test_detach_keys_also_when_typed_one_by_one(place: Place) -> None:
    stdio = Stdio(terminal=True, stdin=True)
    wishes = AttachWishes(stdin=True, detach_keys=b"\x10\x11")
    shim, client = await place.launch(place.bundle("cat", stdio=stdio), wishes)
    await client.write(b"ab\n")
    await client.read_until(b"ab")
    await client.write(b"\x10")
    await asyncio.sleep(0.05)
    await client.write(b"\x11")
    await client.read_all()
    assert await shim.attachments[0] is True
    assert not shim.ended.done()
    client.close()
    await place.end(shim)


async def test_a_client_that_vanishes_is_forgotten(place: Place) -> None:
    shim, client = await place.launch(place.bundle("sh", "-c", "while :; do echo x; sleep 0.01; done"))
    await client.read_until(b"x")
    client.close()
    assert await shim.attachments[0] is False
    other, ended = await attach(place, shim, AttachWishes())
    await other.read_until(b"x")
    other.close()
    assert await ended is False
    await place.end(shim)


async def test_two_clients_hear_the_same(place: Place) -> None:
    stdio = Stdio(stdin=True)
    shim, first = await place.launch(place.bundle("cat", stdio=stdio), INPUT)
    second, ended = await attach(place, shim, AttachWishes())
    await asyncio.sleep(0.05)
    await first.write(b"both\n")
    await first.read_until(b"both")
    await second.read_until(b"both")
    for client in (first, second):
        client.close()
    await ended
    await place.end(shim)


async def test_attaching_to_what_has_ended(place: Place) -> None:
    shim, client = await place.launch(place.bundle("true"))
    await shim.wait_exit()
    client.close()
    ours, theirs = socket.socketpair()
    with pytest.raises(NoSuchProcess), ours, theirs:
        await shim.attach(theirs, AttachWishes())
    await place.runtime.remove(shim.id)


async def test_unread_input_does_not_break_the_clients_reading(place: Place) -> None:
    stdio = Stdio(stdin=True, stdin_once=True)
    shim, client = await place.launch(place.bundle("echo", "done", stdio=stdio), INPUT)
    await client.write(b"nobody reads this\n" * 100)
    assert await client.read_all() == "done\n"
    client.close()
    await shim.wait_exit()
    await place.runtime.remove(shim.id)


async def test_a_quiet_container_answers_again(place: Place) -> None:
    shim, client = await place.launch(place.bundle("cat", stdio=Stdio(stdin=True)), INPUT)
    await client.write(b"one\n")
    await client.read_until(b"one")
    client.close()
    for word in (b"two", b"three"):
        await asyncio.sleep(1.0)  # so that the worker hands over; the outcome does not hang on it
        again, ended = await attach(place, shim, INPUT)
        await again.write(word + b"\n")
        await again.read_until(word)
        again.close()
        await ended
    assert (await place.execute(shim, "echo", "still")).output == "still\n"
    await place.end(shim)
