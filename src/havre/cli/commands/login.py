"""`havre login`: who we are at a registry."""

from __future__ import annotations

import os

from havre.cli.command import Command
from havre.cli.credentials import HUB, Credentials, CredentialStore, server_key
from havre.cli.flags import Given, switch, text
from havre.cli.prompts import asked, asked_in_secret
from havre.cli.screen import STDIN, Screen
from havre.client.client import Client
from havre.client.errors import ApiError, ClientError
from havre.wire.images import AuthResponse

_UNENCRYPTED = """
WARNING! Your credentials are stored unencrypted in '{path}'.
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/
"""


def run(given: Given, client: Client, screen: Screen) -> int:
    """Try the login at the daemon, and keep what it takes."""
    _check(given, screen)
    server = server_key(given.args[0] if given.args else "")
    store = CredentialStore()
    known = None if given.changed("username") else _again(store.find(server), client, screen)
    found = known or _fresh(given, server, screen)
    answer = client.post("/auth", AuthResponse, None, found.document())
    if token := answer.get("IdentityToken"):
        found.password, found.identity_token = "", token
    if known is None or answer.get("IdentityToken"):
        is_new = not store.find(server).known
        store.keep(found)
        if is_new and not store.helper_for(server):
            screen.error(_UNENCRYPTED.format(path=store.config.path))
    screen.line(answer.get("Status") or "Login Succeeded")
    return 0


def _check(given: Given, screen: Screen) -> None:
    if given.changed("password"):
        screen.error("WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
        if given.switch("password-stdin"):
            raise ClientError("conflicting options: cannot specify both --password and --password-stdin")
        if not given.text("password"):
            raise ClientError("password is empty")
    if given.changed("username") and not given.text("username"):
        raise ClientError("username is empty")
    if given.switch("password-stdin") and not given.text("username"):
        raise ClientError("the --password-stdin option requires --username to be set")


def _again(found: Credentials, client: Client, screen: Screen) -> Credentials | None:
    """What is known already, if the registry still takes it."""
    if not found.known:
        return None
    who = f" [Username: {found.username}]" if found.username else ""
    screen.error(
        f"Authenticating with existing credentials...{who}\n\n"
        f" Info -> To login with a different account, run '{screen.program} logout' followed by "
        f"'{screen.program} login'\n\n"
    )
    try:
        client.post("/auth", AuthResponse, None, found.document())
    except ApiError as error:
        screen.error(f"Login did not succeed, error: {error}")
        return None
    return found


def _fresh(given: Given, server: str, screen: Screen) -> Credentials:
    username, password = given.text("username"), given.text("password")
    if given.switch("password-stdin"):
        password = _from_stdin()
    if not (username and password) and not screen.is_terminal(STDIN):
        raise ClientError("Error: Cannot perform an interactive login from a non TTY device")
    if not username:
        screen.line("Log in with your Docker ID to push and pull images from Docker Hub." if server == HUB else "")
        username = asked("Username: ").strip()
    if not username:
        raise ClientError("Error: Non-null Username Required")
    password = password or asked_in_secret("Password: ")
    if not password:
        raise ClientError("Error: Password Required")
    return Credentials(server, username, password)


def _from_stdin() -> str:
    whole = b""
    while piece := os.read(STDIN, 65536):
        whole += piece
    password = whole.decode(errors="surrogateescape").removesuffix("\n").removesuffix("\r")
    if not password:
        raise ClientError("password is empty")
    return password


COMMAND = Command(
    summary="Authenticate to a registry",
    usage="[OPTIONS] [SERVER]",
    flags=(
        text("password", "Password or Personal Access Token (PAT)", short="p"),
        switch("password-stdin", "Take the Password or Personal Access Token (PAT) from stdin"),
        text("username", "Username", short="u"),
    ),
    at_most=1,
    run=run,
)
