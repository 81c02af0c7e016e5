"""`havre image bootstrap`: a base image from a distribution's own packages, with this machine's apt sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from havre.base.errors import HavreError
from havre.cli.bootstrap import Plan, Source, plan_bootstrap, read_sources
from havre.cli.command import Command
from havre.cli.files import pieces_of
from havre.cli.flags import Given, switch, text
from havre.cli.screen import Screen
from havre.client.client import Client, json_lines
from havre.client.errors import ClientError

_PROGRAMS = ("mmdebstrap", "debootstrap")


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print the id of the image."""
    reference = given.args[0]
    with tempfile.TemporaryDirectory(prefix="havre-bootstrap-") as folder:
        output = os.path.join(folder, "root")
        programs = frozenset(name for name in _PROGRAMS if shutil.which(name))
        try:
            plan = plan_bootstrap(
                reference, output, sources=_sources(), programs=programs, architecture=given.text("arch")
            )
        except HavreError as error:
            raise ClientError(str(error)) from error
        if not given.switch("quiet"):
            screen.error(f"making {plan.distribution} {plan.suite} with {plan.arguments[0]}")
        _make(plan, output)
        screen.line(_import(client, plan, reference, output))
    return 0


def _make(plan: Plan, output: str) -> None:
    commands = [list(plan.arguments)]
    if plan.makes_tree:
        commands.append(["tar", "-C", output, "--numeric-owner", "--xattrs", "-cf", f"{output}.tar", "."])
    for command in commands:
        done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True)  # noqa: S603  a fixed program
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()[-2000:]
            raise ClientError(f"{command[0]} failed with code {done.returncode}:\n{said}")
    if plan.makes_tree:
        os.rename(f"{output}.tar", f"{output}.tmp")
        shutil.rmtree(output)
        os.rename(f"{output}.tmp", output)


def _import(client: Client, plan: Plan, reference: str, archive: str) -> str:
    from urllib.parse import urlencode

    fields = [("fromSrc", "-"), ("repo", reference if ":" in reference else f"{reference}:latest")]
    fields += [("changes", 'CMD ["bash"]'), ("message", f"{plan.distribution} {plan.suite} by {plan.arguments[0]}")]
    response = client.send("POST", f"/images/create?{urlencode(fields)}", stream=pieces_of(archive))
    return str([line["status"] for line in json_lines(response) if "status" in line][-1])


def _sources() -> tuple[Source, ...]:
    folder = Path("/etc/apt")
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    texts = [
        path.read_text(errors="replace") for path in files if path.suffix in (".list", ".sources") and path.exists()
    ]
    return tuple(source for text in texts for source in read_sources(text))


COMMAND = Command(
    summary="Make a base image from a distribution's own packages (debian:bookworm, ubuntu:noble, ...)",
    usage="[OPTIONS] DISTRIBUTION[:SUITE]",
    flags=(
        text("arch", "Architecture of the packages (default: this machine's)"),
        switch("quiet", "Print the image's id only", short="q"),
    ),
    at_least=1,
    at_most=1,
    run=run,
)
