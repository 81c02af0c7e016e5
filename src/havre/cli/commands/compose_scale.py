"""`havre compose scale`: more or fewer containers of services."""

from __future__ import annotations

from havre.cli.compose.command import Verb
from havre.cli.compose.converge import Wishes, converge, scale_of
from havre.cli.compose.session import Session, with_dependencies
from havre.cli.flags import Given, switch
from havre.compose.plan.up import NEVER


def act(given: Given, session: Session) -> int:
    """What is there is not made anew."""
    names = [entry.partition("=")[0] for entry in given.args]
    project = session.project(names)
    scale = scale_of(given.args, project)
    services = tuple(names) if given.switch("no-deps") else tuple(with_dependencies(project, names))
    converge(session, project, Wishes(services=services, recreate=NEVER, recreate_dependencies=NEVER, scale=scale))
    return 0


VERB = Verb(
    summary="Scale services",
    usage="[SERVICE=REPLICAS...]",
    flags=(switch("no-deps", "Don't start linked services"),),
    at_least=1,
    act=act,
)
