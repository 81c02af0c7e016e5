"""`havre attach`: the streams of a running container."""

from __future__ import annotations

from havre.cli.attached_run import check_tty, container_resizer, forwarded_signals, hold
from havre.cli.command import Command
from havre.cli.commands.container_run import exit_code
from havre.cli.flags import Given, switch, text
from havre.cli.screen import Screen
from havre.cli.streams import Attached, Detached
from havre.cli.terminal import DEFAULT_DETACH_KEYS, parse_detach_keys
from havre.client.client import Client
from havre.client.errors import ClientError
from havre.wire.containers import ContainerInspect


def run(given: Given, client: Client, screen: Screen) -> int:
    """The container's exit code; 1 with Docker's words after a detach."""
    shown = client.get(f"/containers/{given.args[0]}/json", ContainerInspect)
    state, config = shown.get("State") or {}, shown.get("Config") or {}
    if not state.get("Running"):
        raise ClientError("You cannot attach to a stopped container, start it first")
    if state.get("Paused"):
        raise ClientError("You cannot attach to a paused container, unpause it first")
    if state.get("Restarting"):
        raise ClientError("You cannot attach to a restarting container, wait until it is running")
    container, tty = str(shown.get("Id")), bool(config.get("Tty"))
    stdin = bool(config.get("OpenStdin")) and not given.switch("no-stdin")
    check_tty(stdin=stdin, tty=tty)
    waiting = client.send("POST", f"/containers/{container}/wait")
    stream, ahead, _ = client.hijack(
        f"/containers/{container}/attach", {"stream": True, "stdin": stdin, "stdout": True, "stderr": True}
    )
    keys = parse_detach_keys(given.text("detach-keys")) if tty else b""
    with forwarded_signals(client, container, wanted=given.switch("sig-proxy") and not tty):
        try:
            hold(
                Attached(stream, ahead, raw=tty), container_resizer(client, container), tty=tty, stdin=stdin, keys=keys
            )
        except Detached:
            screen.error("read escape sequence")
            return 1
        return exit_code(waiting)


COMMAND = Command(
    summary="Attach local standard input, output, and error streams to a running container",
    usage="[OPTIONS] CONTAINER",
    flags=(
        text("detach-keys", "Override the key sequence for detaching a container", default=DEFAULT_DETACH_KEYS),
        switch("no-stdin", "Do not attach STDIN"),
        switch("sig-proxy", "Proxy all received signals to the process", default=True),
    ),
    at_least=1,
    at_most=1,
    run=run,
)
