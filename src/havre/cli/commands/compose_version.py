"""`havre compose version`: which Compose this is."""

from __future__ import annotations

import json

from havre.cli.compose.command import Verb
from havre.cli.compose.session import Session
from havre.cli.flags import Given, switch, text
from havre.compose.model.names import COMPOSE_VERSION


def act(given: Given, session: Session) -> int:
    """The version of Docker Compose whose behaviour this has."""
    if given.switch("short"):
        session.screen.line(COMPOSE_VERSION)
    elif given.text("format") == "json":
        session.screen.line(json.dumps({"version": f"v{COMPOSE_VERSION}"}))
    else:
        session.screen.line(f"Docker Compose version v{COMPOSE_VERSION} (Havre)")
    return 0


VERB = Verb(
    summary="Show the Docker Compose version information",
    usage="[OPTIONS]",
    flags=(
        text("format", "Format the output. Values: [pretty | json]. (Default: pretty)", short="f"),
        switch("short", "Shows only Compose's version number"),
    ),
    at_most=0,
    act=act,
)
