"""`havre compose ls`: the applications that an engine has, told by their containers' labels."""

from __future__ import annotations

import json

from havre.cli.compose.command import Verb
from havre.cli.compose.session import Session
from havre.cli.flags import Given, UsageError, many, switch, text
from havre.cli.tables import clean, table
from havre.compose.model.names import CONFIG_FILES, ONEOFF, PROJECT
from havre.wire.containers import ContainerSummary


def act(given: Given, session: Session) -> int:
    """Those of which something runs; all with -a."""
    rows = session.client.get(
        "/containers/json", list[ContainerSummary], {"all": True, "filters": json.dumps({"label": [PROJECT]})}
    )
    wanted = _wanted_names(given)
    found: dict[str, list[ContainerSummary]] = {}
    for row in rows:
        if (row.get("Labels") or {}).get(ONEOFF, "False") != "True":
            found.setdefault((row.get("Labels") or {}).get(PROJECT, ""), []).append(row)
    shown = [
        {"Name": name, "Status": _status(found[name]), "ConfigFiles": _files(found[name])}
        for name in sorted(found)
        if (given.switch("all") or any(row.get("State") in ("running", "paused") for row in found[name]))
        and (not wanted or any(part in name for part in wanted))
    ]
    if given.switch("quiet"):
        for one in shown:
            session.screen.line(one["Name"])
    elif given.text("format") == "json":
        session.screen.line(json.dumps(shown, separators=(",", ":")))
    else:
        lines = [["NAME", "STATUS", "CONFIG FILES"], *([clean(cell) for cell in one.values()] for one in shown)]
        for line in table(lines, least=20):
            session.screen.line(line)
    return 0


def _wanted_names(given: Given) -> list[str]:
    wanted = []
    for entry in given.many("filter"):
        name, sign, value = entry.partition("=")
        if name != "name" or not sign:
            raise UsageError(f"unknown filter {entry!r}: name=VALUE expected")
        wanted.append(value)
    return wanted


def _status(rows: list[ContainerSummary]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        state = row.get("State") or ""
        counts[state] = counts.get(state, 0) + 1
    return ", ".join(f"{state}({count})" for state, count in sorted(counts.items()))


def _files(rows: list[ContainerSummary]) -> str:
    return ",".join(dict.fromkeys(filter(None, ((row.get("Labels") or {}).get(CONFIG_FILES, "") for row in rows))))


VERB = Verb(
    summary="List running compose projects",
    usage="[OPTIONS]",
    flags=(
        switch("all", "Show all stopped Compose projects", short="a"),
        many("filter", "Filter output based on conditions provided", kind="filter"),
        text("format", "Format the output. Values: [table | json]", default="table"),
        switch("quiet", "Only display project names", short="q"),
    ),
    at_most=0,
    act=act,
)
