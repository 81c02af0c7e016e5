"""`havre compose logs`: what the containers said."""

from __future__ import annotations

import threading

from havre.cli.compose.command import Verb
from havre.cli.compose.following import Speaker, follow, show_log, speaker
from havre.cli.compose.printer import Printer, Style
from havre.cli.compose.session import Session
from havre.cli.flags import Given, number, switch, text
from havre.cli.moments import moment


def act(given: Given, session: Session) -> int:
    """One after the other, or side by side as it comes with -f."""
    name, _ = session.project_or_name(given.args)
    index = given.number("index")
    found = [one for one in session.containers(given.args) if index in (0, one.number)]
    style = Style(not given.switch("no-log-prefix"), session.colours() and not given.switch("no-color"))
    printer = Printer(style)
    speakers = [speaker(session.client, one.id, one.name.removeprefix(name).lstrip("-_")) for one in found]
    printer.know([one.name for one in speakers])
    query: dict[str, str | int | None] = {
        "since": moment(given.text("since")),
        "until": moment(given.text("until")),
        "timestamps": given.switch("timestamps"),
        "tail": given.text("tail"),
    }
    if not given.switch("follow"):
        for one in speakers:
            show_log(session.client, one, query, printer)
        return 0
    _follow(session, speakers, query, printer)
    return 0


def _follow(session: Session, speakers: list[Speaker], query: dict[str, str | int | None], printer: Printer) -> None:
    threads: list[threading.Thread] = [follow(session.client, one, query, printer) for one in speakers]
    for thread in threads:
        thread.join()


VERB = Verb(
    summary="View output from containers",
    usage="[OPTIONS] [SERVICE...]",
    flags=(
        switch("follow", "Follow log output", short="f"),
        number("index", "index of the container if service has multiple replicas"),
        switch("no-color", "Produce monochrome output"),
        switch("no-log-prefix", "Don't print prefix in logs"),
        text("since", "Show logs since timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for\n42 minutes)"),
        text("tail", "Number of lines to show from the end of the logs for each container", short="n", default="all"),
        switch("timestamps", "Show timestamps", short="t"),
        text(
            "until",
            "Show logs before a timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m\nfor 42 minutes)",
        ),
    ),
    act=act,
)
