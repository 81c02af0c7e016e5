"""`havre exec`: one more process in a running container."""

from __future__ import annotations

from collections.abc import Callable

from havre.cli.attached_run import check_tty, console_size, hold
from havre.cli.command import Command
from havre.cli.create_body import environment
from havre.cli.flags import Given, many, switch, text
from havre.cli.screen import Screen
from havre.cli.streams import Attached, Detached
from havre.cli.terminal import DEFAULT_DETACH_KEYS, parse_detach_keys
from havre.client.client import Client
from havre.client.errors import ApiError
from havre.wire.exec import ExecConfig, ExecCreated, ExecInspect, ExecStart


def run(given: Given, client: Client, screen: Screen) -> int:
    """The exit code of the process; 126 or 127 when it did not start."""
    container, *words = given.args
    detach, tty = given.switch("detach"), given.switch("tty")
    stdin = given.switch("interactive") and not detach
    check_tty(stdin=stdin, tty=tty)
    keys = parse_detach_keys(given.text("detach-keys"))
    wanted: ExecConfig = {
        "User": given.text("user"),
        "Privileged": given.switch("privileged"),
        "Tty": tty,
        "AttachStdin": stdin,
        "AttachStdout": not detach,
        "AttachStderr": not detach,
        "DetachKeys": "",
        "Env": environment(given),
        "WorkingDir": given.text("workdir"),
        "Cmd": words,
    }
    size = console_size(tty=tty)
    start: ExecStart = {"Detach": detach, "Tty": tty}
    if size:
        wanted["ConsoleSize"] = start["ConsoleSize"] = size
    identifier = str(client.post(f"/containers/{container}/exec", ExecCreated, None, wanted).get("Id"))
    try:
        if detach:
            client.act("POST", f"/exec/{identifier}/start", None, start)
            return 0
        stream, ahead, _ = client.hijack(f"/exec/{identifier}/start", None, start)
    except ApiError as error:
        if "OCI runtime exec failed" not in str(error):
            raise
        screen.error(str(error))
        return 127 if "not found" in str(error) or "no such file" in str(error) else 126
    try:
        hold(
            Attached(stream, ahead, raw=tty),
            _resizer(client, identifier),
            tty=tty,
            stdin=stdin,
            keys=keys if tty else b"",
        )
    except Detached:
        screen.error("read escape sequence")
        return 1
    return int(client.get(f"/exec/{identifier}/json", ExecInspect).get("ExitCode") or 0)


def _resizer(client: Client, identifier: str) -> Callable[[int, int], None]:
    side = client.another()

    def resize(rows: int, columns: int) -> None:
        side.act("POST", f"/exec/{identifier}/resize", {"h": rows, "w": columns})

    return resize


COMMAND = Command(
    summary="Execute a command in a running container",
    usage="[OPTIONS] CONTAINER COMMAND [ARG...]",
    flags=(
        switch("detach", "Detached mode: run command in the background", short="d"),
        text("detach-keys", "Override the key sequence for detaching a container", default=DEFAULT_DETACH_KEYS),
        many("env", "Set environment variables", short="e"),
        many("env-file", "Read in a file of environment variables"),
        switch("interactive", "Keep STDIN open even if not attached", short="i"),
        switch("privileged", "Give extended privileges to the command"),
        switch("tty", "Allocate a pseudo-TTY", short="t"),
        text("user", 'Username or UID (format: "<name|uid>[:<group|gid>]")', short="u"),
        text("workdir", "Working directory inside the container", short="w"),
    ),
    at_least=2,
    interspersed=False,
    run=run,
)
