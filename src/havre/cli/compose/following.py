"""Streams of one container, copied to the printer: its log, or what it says from now on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from havre.cli.compose.printer import Printer
from havre.cli.screen import STDERR, STDOUT
from havre.client.client import Client
from havre.client.errors import ClientError
from havre.wire.containers import ContainerInspect
from havre.wire.stream import HEADER_BYTES, parse_header
from havre.wire.stream import STDERR as STDERR_FRAMES


class Speaker(Struct, frozen=True):
    """A container, the name that its lines stand behind, and whether it has a terminal (its stream has no frames)."""

    id: str
    name: str
    tty: bool


def speaker(client: Client, container: str, name: str) -> Speaker:
    """What is needed to read the streams of *container*."""
    config = client.get(f"/containers/{container}/json", ContainerInspect).get("Config") or {}
    return Speaker(container, name, bool(config.get("Tty")))


def show_log(client: Client, who: Speaker, query: dict[str, str | int | None], printer: Printer) -> None:
    """Copy the log of *who*, to its end or (with `follow`) to the container's."""
    response = client.send("GET", f"/containers/{who.id}/logs", {"stdout": True, "stderr": True, **query})
    _copy(response.chunks(), who, printer)


def attach(client: Client, who: Speaker, printer: Printer) -> threading.Thread:
    """From now on show what *who* says, on a thread that ends when it does."""
    query: dict[str, str | int | None] = {"stream": True, "stdout": True, "stderr": True}
    stream, ahead, _ = client.hijack(f"/containers/{who.id}/attach", query)

    def pieces() -> Iterator[bytes]:
        with stream:
            if ahead:
                yield ahead
            while True:
                try:
                    piece = stream.recv(65536)
                except OSError:
                    return
                if not piece:
                    return
                yield piece

    return _on_thread(lambda: _copy(pieces(), who, printer), who.name)


def follow(client: Client, who: Speaker, query: dict[str, str | int | None], printer: Printer) -> threading.Thread:
    """Show the log of *who* from where *query* says, on a thread that ends when the container does."""
    side = client.another()
    return _on_thread(lambda: show_log(side, who, {"follow": True, **query}, printer), who.name)


def _on_thread(work: Callable[[], None], name: str) -> threading.Thread:
    def run() -> None:
        with contextlib.suppress(ClientError):  # the container or the engine went away: events tell
            work()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


def _copy(pieces: Iterable[bytes], who: Speaker, printer: Printer) -> None:
    held = b""
    for piece in pieces:
        if who.tty:
            printer.feed(who.name, piece)
            continue
        held += piece
        while len(held) >= HEADER_BYTES:
            stream, size = parse_header(held[:HEADER_BYTES])
            if len(held) < HEADER_BYTES + size:
                break
            data, held = held[HEADER_BYTES : HEADER_BYTES + size], held[HEADER_BYTES + size :]
            printer.feed(who.name, data, STDERR if stream >= STDERR_FRAMES else STDOUT)
    printer.end(who.name)
