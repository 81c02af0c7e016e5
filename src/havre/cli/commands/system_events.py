"""`havre events`: what happens, as it happens."""

from __future__ import annotations

import json
import time

from havre.cli.command import Command
from havre.cli.filters import filters_query
from havre.cli.flags import Given, many, text
from havre.cli.listing import Row, rendered, unescaped
from havre.cli.moments import moment
from havre.cli.screen import Screen
from havre.cli.tables import clean
from havre.client.client import Client
from havre.wire.events import EventMessage


def run(given: Given, client: Client, screen: Screen) -> int:
    """One line an event, until --until or a signal."""
    query = {
        "since": moment(given.text("since")),
        "until": moment(given.text("until")),
        "filters": filters_query(given.many("filter")),
    }
    form = unescaped(given.text("format"))
    for line in client.send("GET", "/events", query).lines():
        event: EventMessage = json.loads(line)
        if form == "json":
            screen.line(line.decode())
        elif form:
            screen.line(rendered(form, [_Event(event)])[0])
        else:
            screen.line(clean(show_event(event)))
    return 0


def show_event(event: EventMessage) -> str:
    """`TIME TYPE ACTION ID (key=value, …)`."""
    seconds, nanos = divmod(event.get("timeNano") or 0, 10**9)
    zone = time.strftime("%z", time.localtime(seconds))
    when = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.localtime(seconds))}.{nanos:09d}{zone[:3]}:{zone[3:]}"
    actor = event.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    shown = ", ".join(f"{key}={attributes[key]}" for key in sorted(attributes))
    head = f"{when} {event.get('Type')} {event.get('Action')} {actor.get('ID')}"
    return f"{head} ({shown})" if attributes else head


class _Event(Row):
    """An event by the names that Go's templates know; as JSON it has those of the API."""

    __slots__ = ("_event",)

    def __init__(self, event: EventMessage) -> None:
        names = ("Type", "Action", "Actor", "scope", "time", "timeNano", "status", "from")
        columns = {name[0].upper() + name[1:]: lambda name=name: event.get(name) for name in names}
        super().__init__({**columns, "ID": lambda: event.get("id")}, "events.Message")
        self._event = event

    def as_json(self) -> dict[str, object]:
        """The event as the API has it."""
        return dict(self._event)


COMMAND = Command(
    summary="Get real time events from the server",
    usage="[OPTIONS]",
    flags=(
        many("filter", "Filter output based on conditions provided", short="f", kind="filter"),
        text("format", "Format output using a custom template: json or TEMPLATE"),
        text("since", "Show all events created since timestamp"),
        text("until", "Stream events until this timestamp"),
    ),
    at_most=0,
    run=run,
)
