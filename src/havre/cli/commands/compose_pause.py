"""`havre compose pause`: hold all processes of the containers."""

from __future__ import annotations

from havre.cli.compose.acting import act_on
from havre.cli.compose.command import Verb
from havre.cli.compose.session import Session
from havre.cli.flags import Given
from havre.client.client import Client
from havre.compose.present import Container


def act(given: Given, session: Session) -> int:
    """Those that are running."""

    def pause(client: Client, one: Container) -> None:
        client.act("POST", f"/containers/{one.id}/pause")

    found = [one for one in session.containers(given.args) if one.state == "running"]
    act_on(session, found, pause, ("Pausing", "Paused"))
    return 0


VERB = Verb(summary="Pause services", usage="[SERVICE...]", act=act)
