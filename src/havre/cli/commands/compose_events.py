"""`havre compose events`: what happens to the application's containers, as it happens."""

from __future__ import annotations

import json
import time

from havre.cli.compose.command import Verb
from havre.cli.compose.session import Session
from havre.cli.flags import Given, switch, text
from havre.cli.moments import moment
from havre.cli.tables import clean
from havre.compose.model.names import ONEOFF, PREFIX, PROJECT, SERVICE
from havre.wire.events import EventMessage


def act(given: Given, session: Session) -> int:
    """One line an event, until --until or a signal."""
    name, _ = session.project_or_name(given.args)
    filters = json.dumps({"type": ["container"], "label": [f"{PROJECT}={name}"]})
    query = {"since": moment(given.text("since")), "until": moment(given.text("until")), "filters": filters}
    for line in session.client.send("GET", "/events", query).lines():
        event: EventMessage = json.loads(line)
        attributes = (event.get("Actor") or {}).get("Attributes") or {}
        if attributes.get(ONEOFF) == "True" or (given.args and attributes.get(SERVICE) not in given.args):
            continue
        session.screen.line(_as_json(event, attributes) if given.switch("json") else clean(_as_text(event, attributes)))
    return 0


def _as_text(event: EventMessage, attributes: dict[str, str]) -> str:
    """`TIME container ACTION ID (key=value, …)`, Compose's own labels left out."""
    own = {key: value for key, value in attributes.items() if not key.startswith(PREFIX)}
    shown = ", ".join(f"{key}={own[key]}" for key in sorted(own))
    return f"{_when(event)} container {event.get('Action')} {(event.get('Actor') or {}).get('ID')} ({shown})"


def _as_json(event: EventMessage, attributes: dict[str, str]) -> str:
    own = {key: value for key, value in attributes.items() if not key.startswith(PREFIX)}
    seconds, nanos = divmod(event.get("timeNano") or 0, 10**9)
    document = {
        "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanos:09d}Z",
        "type": "container",
        "service": attributes.get(SERVICE, ""),
        "id": (event.get("Actor") or {}).get("ID") or "",
        "action": event.get("Action") or "",
        "attributes": own,
    }
    return json.dumps(document, separators=(",", ":"))


def _when(event: EventMessage) -> str:
    seconds, nanos = divmod(event.get("timeNano") or 0, 10**9)
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(seconds))}.{nanos // 1000:06d}"


VERB = Verb(
    summary="Receive real time events from containers",
    usage="[OPTIONS] [SERVICE...]",
    flags=(
        switch("json", "Output events as a stream of json objects"),
        text("since", "Show all events created since timestamp"),
        text("until", "Stream events until this timestamp"),
    ),
    act=act,
)
