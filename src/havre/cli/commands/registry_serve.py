"""`havre registry serve`: a registry server in the foreground, which this process becomes."""

from __future__ import annotations

import os
import sys

from havre.cli.command import Command
from havre.cli.flags import Given, many, switch, text
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ClientError

PROGRAM = "havre.daemon.registry_main"
FLAGS = (
    text("addr", "Address to listen on (default 127.0.0.1:5000)"),
    switch("allow-anonymous-push", "Let everybody who reaches the address push"),
    text("config", "Configuration file, in the form of Docker's registry"),
    text("htpasswd", "File with users and bcrypt hashes (htpasswd -B)"),
    text("log-level", 'Logging level ("debug"|"info"|"warn"|"error")'),
    switch("no-access-log", "Do not write a line for every request"),
    text("proxy", "Be a cache of the registry at this URL"),
    many("public", "Repositories that everybody may pull (a pattern like library/*)"),
    switch("read-only", "Serve what is there and take nothing"),
    text("root", "Folder of the registry (default /var/lib/havre/registry)"),
    text("tls-cert", "Certificate in PEM, with its chain"),
    text("tls-key", "Key of the certificate in PEM"),
    switch("token-service", "Give tokens to the users of the htpasswd file"),
)


def run(given: Given, client: Client, screen: Screen) -> int:
    """Replace this process by the server. Raises ClientError when that fails."""
    del client, screen
    words = [f"--{flag.name}={value}" for flag in FLAGS if flag.kind for value in _values(given, flag.name, flag.many)]
    words += [f"--{flag.name}" for flag in FLAGS if not flag.kind and given.switch(flag.name)]
    try:
        os.execv(sys.executable, [sys.executable, "-m", PROGRAM, *words])  # noqa: S606  our own program
    except OSError as error:
        raise ClientError(f"{sys.executable}: {error.strerror}") from error


def _values(given: Given, name: str, repeated: bool) -> list[str]:  # noqa: FBT001  a flag's own nature
    if repeated:
        return given.many(name)
    return [given.text(name)] if given.changed(name) else []


COMMAND = Command(
    summary="Serve a registry of images",
    usage="[OPTIONS]",
    flags=FLAGS,
    at_most=0,
    run=run,
)
