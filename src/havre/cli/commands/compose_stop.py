"""`havre compose stop`: stop the containers, dependants first, and keep them."""

from __future__ import annotations

from havre.cli.compose.command import Verb
from havre.cli.compose.converge import carry_out, doer_for, timeout_of
from havre.cli.compose.session import Session
from havre.cli.flags import Given, number
from havre.compose.plan.down import plan_stop
from havre.compose.present import Present, find_containers


def act(given: Given, session: Session) -> int:
    """What does not run is left alone."""
    name, project = session.project_or_name(given.args)
    present = Present(find_containers(session.client, name))
    steps = plan_stop([one for one in present.containers if not one.oneoff], given.args)
    carry_out(session, doer_for(session, name, project, present, timeout_of(given)), steps)
    return 0


VERB = Verb(
    summary="Stop services",
    usage="[OPTIONS] [SERVICE...]",
    flags=(number("timeout", "Specify a shutdown timeout in seconds", short="t"),),
    act=act,
)
