"""`havre start`: start stopped containers, or one with its streams."""

from __future__ import annotations

from havre.cli.attached_run import container_resizer, forwarded_signals, hold
from havre.cli.command import Command
from havre.cli.commands.container_run import exit_code
from havre.cli.each import each
from havre.cli.flags import Given, switch, text
from havre.cli.screen import Screen
from havre.cli.streams import Attached, Detached
from havre.cli.terminal import DEFAULT_DETACH_KEYS, parse_detach_keys
from havre.client.client import Client
from havre.client.errors import ClientError
from havre.wire.containers import ContainerInspect


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print each name; with -a the container's exit code."""
    if given.switch("attach") or given.switch("interactive"):
        if len(given.args) > 1:
            raise ClientError("you cannot start and attach multiple containers at once")
        return _attached(given, client)
    failed: list[str] = []

    def start(name: str) -> None:
        try:
            client.act("POST", f"/containers/{name}/start", _checkpoint(given))
        except ClientError:
            failed.append(name)
            raise

    code = each(given.args, start, screen)
    if failed:
        screen.error(f"Error: failed to start containers: {', '.join(failed)}")
    return code


def _checkpoint(given: Given) -> dict[str, str] | None:
    """The daemon refuses them: containers are not frozen to disk."""
    names = ("checkpoint", "checkpoint-dir")
    return {name: given.text(name) for name in names if given.text(name)} or None


def _attached(given: Given, client: Client) -> int:
    shown = client.get(f"/containers/{given.args[0]}/json", ContainerInspect)
    config = shown.get("Config") or {}
    container, tty = str(shown.get("Id")), bool(config.get("Tty"))
    stdin = given.switch("interactive") and bool(config.get("OpenStdin"))
    stream, ahead, _ = client.hijack(
        f"/containers/{container}/attach", {"stream": True, "stdin": stdin, "stdout": True, "stderr": True}
    )
    waiting = client.send("POST", f"/containers/{container}/wait", {"condition": "next-exit"})
    side = client.another()
    with forwarded_signals(client, container, wanted=given.switch("sig-proxy") and not tty):
        side.act("POST", f"/containers/{container}/start")
        keys = parse_detach_keys(given.text("detach-keys")) if tty else b""
        try:
            hold(
                Attached(stream, ahead, raw=tty), container_resizer(client, container), tty=tty, stdin=stdin, keys=keys
            )
        except Detached:
            return 0
        return exit_code(waiting)


COMMAND = Command(
    summary="Start one or more stopped containers",
    usage="[OPTIONS] CONTAINER [CONTAINER...]",
    flags=(
        switch("attach", "Attach STDOUT/STDERR and forward signals", short="a"),
        text("checkpoint", "Restore from this checkpoint (not available)"),
        text("checkpoint-dir", "Use a custom checkpoint storage directory (not available)"),
        text("detach-keys", "Override the key sequence for detaching a container", default=DEFAULT_DETACH_KEYS),
        switch("interactive", "Attach container's STDIN", short="i"),
        switch("sig-proxy", "Forward signals", default=True),
    ),
    at_least=1,
    run=run,
)
