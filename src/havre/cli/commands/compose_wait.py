"""`havre compose wait`: until the first container of some services ends."""

from __future__ import annotations

import queue
import threading

from havre.cli.compose.command import Verb
from havre.cli.compose.converge import carry_out, doer_for
from havre.cli.compose.session import Session
from havre.cli.flags import Given, switch
from havre.client.client import Client
from havre.client.errors import ClientError
from havre.compose.errors import ComposeError
from havre.compose.plan.down import DownOptions, plan_down
from havre.compose.present import Container, observe
from havre.wire.containers import WaitResponse


def act(given: Given, session: Session) -> int:
    """Print its exit code, and end with it; with --down-project take everything down after it."""
    found = session.containers(given.args)
    if not found:
        raise ComposeError("no containers for project")
    ended: queue.SimpleQueue[int | ClientError] = queue.SimpleQueue()

    def wait(client: Client, one: Container) -> None:
        try:
            ended.put(client.post(f"/containers/{one.id}/wait", WaitResponse).get("StatusCode") or 0)
        except ClientError as error:
            ended.put(error)

    for one in found:
        threading.Thread(target=wait, args=(session.client.another(), one), daemon=True).start()
    code = ended.get()
    if isinstance(code, ClientError):
        raise code
    session.screen.line(str(code))
    if given.switch("down-project"):
        name, project = session.project_or_name()
        present = observe(session.client, name)
        carry_out(session, doer_for(session, name, project, present, None), plan_down(name, present, DownOptions()))
    return code


VERB = Verb(
    summary="Block until containers of all (or specified) services stop.",
    usage="SERVICE [SERVICE...] [OPTIONS]",
    flags=(switch("down-project", "Drops project when the first container stops"),),
    at_least=1,
    act=act,
)
