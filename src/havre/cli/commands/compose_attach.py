"""`havre compose attach`: standard input, output and error of a service's running container."""

from __future__ import annotations

from havre.cli.compose.command import Verb
from havre.cli.compose.same_verb import passed_on, run_for_container
from havre.cli.compose.session import Session
from havre.cli.flags import Given, number, switch, text


def act(given: Given, session: Session) -> int:
    """The exit code of the container."""
    container = session.container(given.args[0], given.number("index"))
    words = passed_on(given, "detach-keys", "no-stdin", "sig-proxy")
    return run_for_container(session, "attach", [*words, container.id])


VERB = Verb(
    summary="Attach local standard input, output, and error streams to a service's running container",
    usage="[OPTIONS] SERVICE",
    flags=(
        text("detach-keys", "Override the key sequence for detaching from a container."),
        number("index", "index of the container if service has multiple replicas."),
        switch("no-stdin", "Do not attach STDIN"),
        switch("sig-proxy", "Proxy all received signals to the process", default=True),
    ),
    at_least=1,
    at_most=1,
    act=act,
)
