"""`havre compose commit`: a new image from a service's container."""

from __future__ import annotations

from havre.cli.compose.command import Verb
from havre.cli.compose.same_verb import passed_on, run_for_container
from havre.cli.compose.session import Session
from havre.cli.flags import Given, many, number, switch, text


def act(given: Given, session: Session) -> int:
    """Print the id of the image."""
    service, *name = given.args
    container = session.container(service, given.number("index"))
    words = passed_on(given, "author", "change", "message", "pause")
    return run_for_container(session, "commit", [*words, container.id, *name])


VERB = Verb(
    summary="Create a new image from a service container's changes",
    usage="[OPTIONS] SERVICE [REPOSITORY[:TAG]]",
    flags=(
        text("author", 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")', short="a"),
        many("change", "Apply Dockerfile instruction to the created image", short="c"),
        number("index", "index of the container if service has multiple replicas."),
        text("message", "Commit message", short="m"),
        switch("pause", "Pause container during commit", short="p", default=True),
    ),
    at_least=1,
    at_most=2,
    act=act,
)
