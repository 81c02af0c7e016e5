"""`havre compose start`: start what was stopped, dependencies first."""

from __future__ import annotations

from havre.cli.compose.command import Verb
from havre.cli.compose.converge import carry_out, doer_for
from havre.cli.compose.ready import await_ready
from havre.cli.compose.session import Session, with_dependencies
from havre.cli.flags import Given, number, switch
from havre.compose.errors import ComposeError
from havre.compose.model.project import Project
from havre.compose.model.service import Service
from havre.compose.plan.start import plan_start
from havre.compose.present import Present, find_containers


def act(given: Given, session: Session) -> int:
    """Nothing is made; a service without containers is an error."""
    name, project = session.project_or_name(given.args)
    present = Present(find_containers(session.client, name))
    project = project or _told_by_labels(name, present)
    services = with_dependencies(project, given.args)
    for service in services.values():
        if service.replicas > 0 and not present.of(service.name):
            raise ComposeError(f'service "{service.name}" has no container to start')
    doer = doer_for(session, name, project, present, None)
    carry_out(session, doer, plan_start(list(services.values()), present))
    if given.switch("wait"):
        await_ready(session, doer, tuple(services), given.number("wait-timeout"))
    return 0


def _told_by_labels(name: str, present: Present) -> Project:
    """An application whose files are not at hand."""
    services = {one.service: Service(name=one.service) for one in present.containers if not one.oneoff}
    return Project(name, "", services=services)


VERB = Verb(
    summary="Start services",
    usage="[OPTIONS] [SERVICE...]",
    flags=(
        switch("wait", "Wait for services to be running|healthy. Implies detached mode."),
        number("wait-timeout", "Maximum duration in seconds to wait for the project to be running|healthy"),
    ),
    act=act,
)
