"""`havre compose ps`: the application's containers."""

from __future__ import annotations

import json

from havre.cli.commands.container_ls import container_columns
from havre.cli.compose.command import Verb
from havre.cli.compose.session import Session
from havre.cli.flags import Given, UsageError, many, switch, text
from havre.cli.listing import Listing, Row
from havre.cli.tables import ellipsis
from havre.compose.model.names import PROJECT
from havre.compose.present import Container

_STATES = ("paused", "restarting", "removing", "running", "dead", "created", "exited")
_LISTING = Listing(
    {
        "Name": "NAME", "Image": "IMAGE", "Command": "COMMAND", "Service": "SERVICE", "RunningFor": "CREATED",
        "Status": "STATUS", "Ports": "PORTS", "ID": "CONTAINER ID", "State": "STATE", "Project": "PROJECT",
        "Names": "NAMES", "Labels": "LABELS", "CreatedAt": "CREATED AT", "ExitCode": "EXIT CODE", "Health": "HEALTH",
        "Publishers": "PUBLISHERS", "Mounts": "MOUNTS", "LocalVolumes": "LOCAL VOLUMES", "Networks": "NETWORKS",
        "Size": "SIZE",
    },
    ("Name", "Image", "Command", "Service", "RunningFor", "Status", "Ports"),
    "api.ContainerSummary",
)  # fmt: skip


def act(given: Given, session: Session) -> int:
    """Those that run; all with -a or when a status is asked for."""
    states = _states(given)
    found = session.containers(given.args, oneoff=given.switch("all"))
    if not given.switch("orphans"):
        _, project = session.project_or_name()
        found = [one for one in found if project is None or one.service in project.services]
    if states:
        found = [one for one in found if one.state in states]
    elif not given.switch("all"):
        found = [one for one in found if one.is_running]
    if given.switch("quiet"):
        for one in found:
            session.screen.line(one.id)
    elif given.switch("services"):
        for name in dict.fromkeys(one.service for one in found):
            session.screen.line(name)
    else:
        rows = [_row(one, whole=given.switch("no-trunc")) for one in found]
        _LISTING.print(rows, given.text("format"), session.screen)
    return 0


def _states(given: Given) -> set[str]:
    states = {one for entry in given.many("status") for one in entry.split(",")}
    if given.changed("filter"):
        name, sign, value = given.text("filter").partition("=")
        if not sign:
            raise UsageError("arguments to --filter should be in form KEY=VAL")
        if name != "status":
            raise UsageError(f"unknown filter {name}")
        states.add(value)
    if unknown := sorted(states - set(_STATES)):
        raise UsageError(f'unknown status "{unknown[0]}": one of {", ".join(_STATES)} expected')
    return states


def _row(one: Container, *, whole: bool) -> Row:
    summary = one.summary
    command = summary.get("Command") or ""
    health = next((word for word in ("unhealthy", "healthy", "starting") if word in one.status), "")
    code = one.status.partition("(")[2].partition(")")[0] if one.state == "exited" else ""
    columns = container_columns(summary, trim=not whole)
    columns |= {
        "Name": one.name,
        "Names": one.name,
        "Image": summary.get("Image") or "",
        "Command": json.dumps(command if whole else ellipsis(command, 20), ensure_ascii=False),
        "Service": one.service,
        "Project": one.labels.get(PROJECT, ""),
        "Health": health,
        "ExitCode": lambda: int(code) if code.isdecimal() else 0,
        "Publishers": lambda: _publishers(one),
    }
    return Row(columns, "api.ContainerSummary")


def _publishers(one: Container) -> list[dict[str, object]]:
    return [
        {
            "URL": port.get("IP") or "",
            "TargetPort": port.get("PrivatePort") or 0,
            "PublishedPort": port.get("PublicPort") or 0,
            "Protocol": port.get("Type") or "",
        }
        for port in one.summary.get("Ports") or ()
    ]


VERB = Verb(
    summary="List containers",
    usage="[OPTIONS] [SERVICE...]",
    flags=(
        switch("all", "Show all stopped containers (including those created by the run command)", short="a"),
        text("filter", "Filter services by a property (supported filters: status)"),
        text("format", "Format output using a custom template: table, json or a Go template", default="table"),
        switch("no-trunc", "Don't truncate output"),
        switch("orphans", "Include orphaned services (not declared by project)", default=True),
        switch("quiet", "Only display IDs", short="q"),
        switch("services", "Display services"),
        many("status", "Filter services by status. Values: [paused | restarting | removing | running | dead |\n"
             "created | exited]", kind="stringArray"),
    ),
    act=act,
)  # fmt: skip
