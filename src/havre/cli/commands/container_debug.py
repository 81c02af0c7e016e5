"""`havre debug`: a shell with tools beside a container that has none, or that does not run."""

from __future__ import annotations

import os
import sys

from havre.cli.command import Command
from havre.cli.commands import container_run
from havre.cli.flags import Given, many, parse, switch, text
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.wire.containers import ContainerInspect

_IMAGE = "busybox"
_LIVE_ROOT, _RESTING_ROOT = "/proc/1/root", "/target"


def run(given: Given, client: Client, screen: Screen) -> int:
    """The exit code of the command."""
    target, *command = given.args
    shown = client.get(f"/containers/{target}/json", ContainerInspect)
    state, config = shown.get("State") or {}, shown.get("HostConfig") or {}
    identifier = str(shown.get("Id"))
    words = ["--rm", "--label", f"havre.debug={identifier}", "--user", "0"]
    if sys.stdin.isatty() and sys.stdout.isatty():
        words.append("-t")
    words += ["-i", *(word for entry in given.many("env") for word in ("-e", entry))]
    if state.get("Running"):
        words += _beside(identifier, str(config.get("IpcMode") or ""))
        root = _LIVE_ROOT
    else:
        words += ["--mount", f"type=container,source={identifier},target={_RESTING_ROOT}"]
        root = _RESTING_ROOT
    words += ["-e", f"TARGET={root}"]
    if given.switch("privileged"):
        words.append("--privileged")
    image = given.text("image") or os.environ.get("HAVRE_DEBUG_IMAGE") or _IMAGE
    asked = parse([*words, image, *(command or ["sh"])], container_run.COMMAND.flags, interspersed=False)
    return container_run.run(asked, client, screen)


def _beside(identifier: str, ipc_mode: str) -> list[str]:
    """In the namespaces of one that runs; its files are at /proc/1/root, which only a tracer may enter."""
    words = ["--pid", f"container:{identifier}", "--network", f"container:{identifier}", "--cap-add", "SYS_PTRACE"]
    return [*words, "--ipc", f"container:{identifier}"] if ipc_mode in {"shareable", "host"} else words


COMMAND = Command(
    summary="Run a toolbox in the namespaces of a container, or with the files of one that does not run",
    usage="[OPTIONS] CONTAINER [COMMAND] [ARG...]",
    flags=(
        many("env", "Set environment variables", short="e"),
        text("image", "Image of the toolbox (default $HAVRE_DEBUG_IMAGE, else busybox)"),
        switch("privileged", "Give extended privileges to the toolbox"),
    ),
    at_least=1,
    interspersed=False,
    run=run,
)
