"""`havre compose stats`: what the application's containers use."""

from __future__ import annotations

from havre.cli.compose.command import Verb
from havre.cli.compose.same_verb import passed_on, run_for_container
from havre.cli.compose.session import Session
from havre.cli.flags import Given, switch, text


def act(given: Given, session: Session) -> int:
    """Those that run; all with -a."""
    found = [one for one in session.containers(given.args) if one.is_running or given.switch("all")]
    if not found:
        return 0
    words = passed_on(given, "format", "no-stream", "no-trunc")
    return run_for_container(session, "stats", [*words, *(one.id for one in found)])


VERB = Verb(
    summary="Display a live stream of container(s) resource usage statistics",
    usage="[OPTIONS] [SERVICE]",
    flags=(
        switch("all", "Show all containers (default shows just running)", short="a"),
        text("format", "Format output using a custom template: table, 'table TEMPLATE', json or TEMPLATE"),
        switch("no-stream", "Disable streaming stats and only pull the first result"),
        switch("no-trunc", "Do not truncate output"),
    ),
    act=act,
)
