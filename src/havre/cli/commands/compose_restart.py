"""`havre compose restart`: stop and start containers, dependencies first."""

from __future__ import annotations

from havre.cli.compose.acting import act_on
from havre.cli.compose.command import Verb
from havre.cli.compose.converge import timeout_of
from havre.cli.compose.session import Session
from havre.cli.flags import Given, number, switch
from havre.client.client import Client
from havre.compose.model.project import Project
from havre.compose.plan.up import in_order
from havre.compose.present import Container, find_containers


def act(given: Given, session: Session) -> int:
    """Of the named services, and of those that ask to be restarted with them."""
    name, project = session.project_or_name(given.args)
    wanted = set(given.args)
    if project and wanted and not given.switch("no-deps"):
        wanted |= _restarted_with(project, wanted)
    found = [one for one in find_containers(session.client, name) if not one.oneoff]
    found = [one for one in found if not wanted or one.service in wanted]
    if project:
        rank = {service.name: place for place, service in enumerate(in_order(list(project.services.values())))}
        found.sort(key=lambda one: (rank.get(one.service, -1), one.number))
    timeout_s = timeout_of(given)

    def restart(client: Client, one: Container) -> None:
        client.act("POST", f"/containers/{one.id}/restart", {"t": timeout_s})

    act_on(session, found, restart, ("Restarting", "Started"))
    return 0


def _restarted_with(project: Project, names: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        for service in project.services.values():
            dependency = service.depends_on.get(name)
            if dependency is not None and dependency.restart and service.name not in found:
                found.add(service.name)
                waiting.append(service.name)
    return found


VERB = Verb(
    summary="Restart service containers",
    usage="[OPTIONS] [SERVICE...]",
    flags=(
        switch("no-deps", "Don't restart dependent services"),
        number("timeout", "Specify a shutdown timeout in seconds", short="t"),
    ),
    act=act,
)
