"""`havre compose kill`: send a signal to the running containers."""

from __future__ import annotations

from havre.cli.compose.acting import act_on
from havre.cli.compose.command import Verb
from havre.cli.compose.create_flags import removes_orphans
from havre.cli.compose.session import Session
from havre.cli.flags import Given, switch, text
from havre.client.client import Client
from havre.compose.present import Container, Present


def act(given: Given, session: Session) -> int:
    """SIGKILL unless another one is asked for."""
    _, project = session.project_or_name(given.args)
    found = [one for one in session.containers(given.args) if one.is_running]
    signal = given.text("signal")

    def kill(client: Client, one: Container) -> None:
        client.act("POST", f"/containers/{one.id}/kill", {"signal": signal})

    act_on(session, found, kill, ("Killing", "Killed"))
    if removes_orphans(given) and project is not None:
        orphans = Present(tuple(session.containers())).orphans({*project.services, *project.disabled})
        act_on(session, orphans, _remove, ("Removing", "Removed"))
    return 0


def _remove(client: Client, one: Container) -> None:
    client.act("DELETE", f"/containers/{one.id}", {"force": True})


VERB = Verb(
    summary="Force stop service containers",
    usage="[OPTIONS] [SERVICE...]",
    flags=(
        switch("remove-orphans", "Remove containers for services not defined in the Compose file"),
        text("signal", "SIGNAL to send to the container", short="s", default="SIGKILL"),
    ),
    act=act,
)
