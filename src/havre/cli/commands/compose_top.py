"""`havre compose top`: the processes of all containers in one table."""

from __future__ import annotations

from havre.cli.compose.command import Verb
from havre.cli.compose.session import Session
from havre.cli.flags import Given
from havre.cli.tables import clean, table
from havre.wire.containers import TopResponse


def act(given: Given, session: Session) -> int:
    """Those that run."""
    rows: list[list[str]] = []
    for one in session.containers(given.args):
        if not one.is_running:
            continue
        answer = session.client.get(f"/containers/{one.id}/top", TopResponse)
        if not rows:
            rows.append(["SERVICE", "#", *(answer.get("Titles") or [])])
        rows += [[one.service, str(one.number), *process] for process in answer.get("Processes") or []]
    for line in table([[clean(cell) for cell in row] for row in rows], least=0):
        session.screen.line(line)
    return 0


VERB = Verb(summary="Display the running processes", usage="[SERVICES...]", act=act)
