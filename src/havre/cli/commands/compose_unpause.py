"""`havre compose unpause`: let held processes go on."""

from __future__ import annotations

from havre.cli.compose.acting import act_on
from havre.cli.compose.command import Verb
from havre.cli.compose.session import Session
from havre.cli.flags import Given


def act(given: Given, session: Session) -> int:
    """Those that are paused."""
    found = [one for one in session.containers(given.args) if one.state in ("paused",)]
    act_on(
        session,
        found,
        lambda client, one: client.act("POST", f"/containers/{one.id}/unpause"),
        ("Unpausing", "Unpaused"),
    )
    return 0


VERB = Verb(summary="Unpause services", usage="[SERVICE...]", act=act)
