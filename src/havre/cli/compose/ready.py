"""`--wait`: until services are running, healthy, or, where they end by themselves, ended well."""

from __future__ import annotations

import threading

from havre.cli.compose.session import Session
from havre.compose.carry_out.doer import Doer
from havre.compose.carry_out.health import RUNNING_OR_HEALTHY, wait_ready
from havre.compose.carry_out.run import Cancel, Cancelled
from havre.compose.errors import ComposeError, Failed
from havre.compose.model.parts import COMPLETED


def await_ready(session: Session, doer: Doer, services: tuple[str, ...], timeout_s: int) -> None:
    """Until every container of *services* is ready; after *timeout_s* (0: for ever) and on failures raises Failed.

    A service whose completion others wait for is ready when it has ended well, not already while it runs.
    """
    jobs = {
        name
        for service in doer.around.project.services.values()
        for name, dependency in service.depends_on.items()
        if dependency.condition == COMPLETED
    }
    cancel = Cancel()
    timer = threading.Timer(timeout_s, cancel.give_up) if timeout_s > 0 else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        for service in services:
            for identifier, name in doer.ids(service):
                subject = f"Container {name}"
                session.progress.begin(subject, "Waiting")
                try:
                    condition = COMPLETED if service in jobs else RUNNING_OR_HEALTHY
                    said = wait_ready(session.client, [(identifier, name)], condition, cancel)
                except ComposeError as error:
                    session.progress.failed(subject, str(error))
                    raise
                session.progress.done(subject, said)
    except Cancelled:
        raise Failed("application not healthy after " + f"{timeout_s}s") from None
    finally:
        if timer is not None:
            timer.cancel()
