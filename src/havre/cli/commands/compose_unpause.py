"""`havre compose unpause`: let held processes go on."""

from __future__ import annotations

from havre.cli.compose.acting import act_on
from havre.cli.compose.command import Verb
from havre.cli.compose.session import Session
from havre.cli.flags import Given
from havre.client.client import Client
from havre.compose.present import Container


def act(given: Given, session: Session) -> int:
    """Those that are paused."""

    def unpause(client: Client, one: Container) -> None:
        client.act("POST", f"/containers/{one.id}/unpause")

    found = [one for one in session.containers(given.args) if one.state == "paused"]
    act_on(session, found, unpause, ("Unpausing", "Unpaused"))
    return 0


VERB = Verb(summary="Unpause services", usage="[SERVICE...]", act=act)
