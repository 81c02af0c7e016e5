"""`havre compose create`: make the containers, and start none."""

from __future__ import annotations

from msgspec.structs import replace

from havre.cli.compose.command import Verb
from havre.cli.compose.converge import converge
from havre.cli.compose.create_flags import CREATE_FLAGS, create_wishes
from havre.cli.compose.session import Session
from havre.cli.flags import Given


def act(given: Given, session: Session) -> int:
    """What runs already goes on."""
    project = session.project(given.args)
    converge(session, project, replace(create_wishes(given, project), start=False))
    return 0


VERB = Verb(
    summary="Creates containers for a service",
    usage="[OPTIONS] [SERVICE...]",
    flags=CREATE_FLAGS,
    act=act,
)
