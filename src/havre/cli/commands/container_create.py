"""`havre create`: make a container without starting it."""

from __future__ import annotations

import os

from havre.cli.attached_run import console_size
from havre.cli.command import Command
from havre.cli.create_body import create_body
from havre.cli.create_flags import CREATE_FLAGS
from havre.cli.flags import Given
from havre.cli.pulling import pull
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ApiError, ClientError
from havre.wire.containers import CreateContainer, CreateResponse

STREAMS = ("stdin", "stdout", "stderr")


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print the id of the new container."""
    screen.line(create(given, client, screen, attach=wished_streams(given, default=frozenset({"stdout", "stderr"}))))
    return 0


def create(given: Given, client: Client, screen: Screen, *, attach: frozenset[str]) -> str:
    """Make the container, with its image pulled first when it is missing; gives the id."""
    cidfile = given.text("cidfile")
    if cidfile and os.path.exists(cidfile):
        raise ClientError(f"container ID file found, make sure the other container isn't running or delete {cidfile}")
    policy = given.text("pull")
    if policy not in ("always", "missing", "never"):
        raise ClientError(f'invalid pull option: \'{policy}\': must be one of "always", "missing" or "never"')
    image = given.args[0]
    if policy == "always":
        pull(client, screen, image, given.text("platform"), quiet=given.switch("quiet"), to_stderr=True)
    body = create_body(given, attach=attach)
    size = console_size(tty=given.switch("tty"))
    if size:
        (body.get("HostConfig") or {})["ConsoleSize"] = size
    lent = _lent_socket(given, body, client)
    query = {"name": given.text("name"), "platform": given.text("platform")}
    try:
        made = client.post("/containers/create", CreateResponse, query, body)
    except ApiError as error:
        if error.status != 404 or policy != "missing" or "image" not in str(error):
            raise
        screen.error(f"Unable to find image '{_with_tag(image)}' locally")
        pull(client, screen, image, given.text("platform"), quiet=given.switch("quiet"), to_stderr=True)
        made = client.post("/containers/create", CreateResponse, query, body)
    for warning in made.get("Warnings") or ():
        screen.error(f"WARNING: {warning}")
    identifier = str(made.get("Id"))
    if lent:
        from havre.cli.api_socket import hand_over

        hand_over(lent, identifier, client)
    if cidfile:
        with open(cidfile, "x", encoding="ascii") as file:
            file.write(identifier)
    return identifier


def wished_streams(given: Given, *, default: frozenset[str]) -> frozenset[str]:
    """What -a and -i ask to attach. Raises ClientError for what is no stream."""
    wished = frozenset(name.lower() for name in given.many("attach"))
    if not wished <= frozenset(STREAMS):
        raise ClientError("valid streams are STDIN, STDOUT and STDERR")
    if wished:
        return wished
    return default | {"stdin"} if given.switch("interactive") and default else default


def _lent_socket(given: Given, body: CreateContainer, client: Client) -> bytes:
    if not given.switch("use-api-socket"):
        return b""
    from havre.cli.api_socket import lend

    return lend(body, client)


def _with_tag(image: str) -> str:
    return image if ":" in image.rpartition("/")[2] or "@" in image else f"{image}:latest"


COMMAND = Command(
    summary="Create a new container",
    usage="[OPTIONS] IMAGE [COMMAND] [ARG...]",
    flags=CREATE_FLAGS,
    at_least=1,
    interspersed=False,
    run=run,
)
