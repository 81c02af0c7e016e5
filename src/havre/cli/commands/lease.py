"""`havre lease`: hold a lease while a program runs; what it made under the lease goes when it ends."""

from __future__ import annotations

import os

from havre.cli.command import Command
from havre.cli.flags import Given, text
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ClientError

_NOT_FOUND, _SIGNALLED = 127, 128


def run(given: Given, client: Client, screen: Screen) -> int:
    """The program's exit code."""
    name, *words = given.args
    words = words[1:] if words[0] == "--" else words
    if not name or "/" in name or not words:
        raise ClientError(
            f"invalid lease name: {name!r}" if words else "the lease is held for a command: none is given"
        )
    grace = given.text("grace")
    holding = client.another().send("GET", f"/leases/{name}", {"grace": grace} if grace else None)
    next(holding.lines())  # from the first line on it is held
    try:
        pid = os.posix_spawnp(words[0], words, {**os.environ, "HAVRE_LEASE": name})
    except OSError as failed:
        screen.error(f"{words[0]}: {(failed.strerror or '').lower()}")
        return _NOT_FOUND
    while True:
        try:
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        except KeyboardInterrupt:
            continue  # the program is asked too, and decides
        return code if code >= 0 else _SIGNALLED - code


COMMAND = Command(
    summary="Hold a lease while a command runs: containers and volumes labelled with it are removed afterwards",
    usage="[OPTIONS] NAME COMMAND [ARG...]",
    flags=(text("grace", "Seconds in which another holder may come, once this one is gone (default 10)"),),
    at_least=2,
    interspersed=False,
    run=run,
)
