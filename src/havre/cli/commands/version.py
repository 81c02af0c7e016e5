"""`havre version`: this client, and the daemon that it talks to."""

from __future__ import annotations

import os
import platform

from havre.base.version import VERSION
from havre.cli.command import Command
from havre.cli.flags import Given, text
from havre.cli.listing import rendered, unescaped
from havre.cli.screen import Screen
from havre.client.client import API_VERSION, Client
from havre.client.errors import ClientError
from havre.wire.system import Version

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def run(given: Given, client: Client, screen: Screen) -> int:
    """Both halves; the client's alone with an error when no daemon answers."""
    failure: ClientError | None = None
    server: Version | None = None
    try:
        server = client.get("/version", Version)
    except ClientError as error:
        failure = error
    form = given.text("format")
    if form:
        document: dict[str, object] = {"Client": _client(client), "Server": server}
        if form == "json":
            form = "{{json .}}"
        screen.line(rendered(unescaped(form), [document])[0])
    else:
        screen.line(_text(client, server))
    if failure is not None:
        screen.error(str(failure))
        return 1
    return 0


def short_version(program: str) -> str:
    """What `--version` prints; tools parse Docker's form."""
    name = "Docker" if program == "docker" else "Havre"
    return f"{name} version {VERSION}, build havre"


def _client(client: Client) -> dict[str, object]:
    machine = platform.machine()
    return {
        "Version": VERSION,
        "ApiVersion": client.version,
        "APIVersion": client.version,
        "DefaultAPIVersion": API_VERSION,
        "GitCommit": "",
        "GoVersion": f"Python {platform.python_version()}",
        "Os": "linux",
        "Arch": _ARCHITECTURES.get(machine, machine),
        "BuildTime": "",
        "Context": "default",
        "Host": client.address.text,
        "Pid": os.getpid(),
    }


def _text(client: Client, server: Version | None) -> str:
    own = _client(client)
    lines = [
        "Client: Havre",
        f" Version:           {own['Version']}",
        f" API version:       {own['ApiVersion']}",
        f" Python version:    {platform.python_version()}",
        f" OS/Arch:           {own['Os']}/{own['Arch']}",
        f" Context:           {own['Context']}",
    ]
    if server is None:
        return "\n".join(lines)
    name = (server.get("Platform") or {}).get("Name") or ""
    lines += ["", f"Server: {name}".rstrip()]
    for component in server.get("Components") or ():
        details = component.get("Details") or {}
        lines += [f" {component.get('Name')}:", f"  Version:          {component.get('Version')}"]
        if component.get("Name") == "Engine":
            lines += [
                f"  API version:      {details.get('ApiVersion')} (minimum version {details.get('MinAPIVersion')})",
                f"  OS/Arch:          {details.get('Os')}/{details.get('Arch')}",
                f"  Experimental:     {details.get('Experimental')}",
            ]
        else:
            lines += [f"  {key + ':':<17} {details[key]}" for key in sorted(details)]
    return "\n".join(lines)


COMMAND = Command(
    summary="Show the version information",
    usage="[OPTIONS]",
    flags=(text("format", "Format output using a custom template: json or TEMPLATE", short="f"),),
    at_most=0,
    run=run,
)
