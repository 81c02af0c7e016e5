"""`havre compose export`: the files of a service's container as a tar archive."""

from __future__ import annotations

from havre.cli.compose.command import Verb
from havre.cli.compose.same_verb import passed_on, run_for_container
from havre.cli.compose.session import Session
from havre.cli.flags import Given, number, text


def act(given: Given, session: Session) -> int:
    """To a file, or to standard output where that is no terminal."""
    container = session.container(given.args[0], given.number("index"))
    return run_for_container(session, "export", [*passed_on(given, "output"), container.id])


VERB = Verb(
    summary="Export a service container's filesystem as a tar archive",
    usage="[OPTIONS] SERVICE",
    flags=(
        number("index", "index of the container if service has multiple replicas."),
        text("output", "Write to a file, instead of STDOUT", short="o"),
    ),
    at_least=1,
    at_most=1,
    act=act,
)
