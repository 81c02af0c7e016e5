"""`havre compose cp`: files between a service's containers and this machine."""

from __future__ import annotations

from havre.cli.compose.command import Verb
from havre.cli.compose.same_verb import passed_on, run_for_container
from havre.cli.compose.session import Session
from havre.cli.flags import Given, number, switch
from havre.client.errors import ClientError


def act(given: Given, session: Session) -> int:
    """To every container of the service, or to the one of --index; from the first, or from that one."""
    source, destination = given.args
    words = passed_on(given, "archive", "follow-link")
    if _is_inside(source) == _is_inside(destination):
        raise ClientError("unknown copy direction: one of source and destination must be SERVICE:PATH")
    index = given.number("index")
    if _is_inside(source):
        service, _, path = source.partition(":")
        container = session.container(service, index)
        return run_for_container(session, "cp", [*words, f"{container.id}:{path}", destination])
    service, _, path = destination.partition(":")
    session.container(service, index)
    code = 0
    for one in session.containers([service], oneoff=given.switch("all")):
        if index in (0, one.number):
            code |= run_for_container(session, "cp", [*words, source, f"{one.id}:{path}"])
    return code


def _is_inside(text: str) -> bool:
    """Whether it is SERVICE:PATH, not a path of this machine."""
    service, colon, _ = text.partition(":")
    return bool(colon and service) and not service.startswith((".", "/"))


VERB = Verb(
    summary="Copy files/folders between a service container and the local filesystem",
    usage="[OPTIONS] SERVICE:SRC_PATH DEST_PATH|-\n\tdocker compose cp [OPTIONS] SRC_PATH|- SERVICE:DEST_PATH",
    flags=(
        switch("all", "Include containers created by the run command"),
        switch("archive", "Archive mode (copy all uid/gid information)", short="a"),
        switch("follow-link", "Always follow symbol link in SRC_PATH", short="L"),
        number("index", "Index of the container if service has multiple replicas"),
    ),
    at_least=2,
    at_most=2,
    act=act,
)
