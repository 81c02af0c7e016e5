"""`havre history`: the steps that made an image."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, switch, text
from havre.cli.listing import Listing, Row
from havre.cli.platforms import platform_of
from havre.cli.screen import Screen
from havre.cli.tables import ellipsis
from havre.cli.units import show_age, show_size
from havre.client.client import Client
from havre.wire.images import HistoryItem

_HEADERS = {
    "ID": "IMAGE", "CreatedSince": "CREATED", "CreatedAt": "CREATED AT", "CreatedBy": "CREATED BY", "Size": "SIZE",
    "Comment": "COMMENT",
}  # fmt: skip
_TYPE = "*formatter.historyContext"
_Y2K = 946684800


def run(given: Given, client: Client, screen: Screen) -> int:
    """Newest first."""
    items = client.get(f"/images/{given.args[0]}/history", list[HistoryItem], platform_of(given))
    trim, human = not given.switch("no-trunc"), given.switch("human")
    if given.switch("quiet") and not given.text("format"):
        for item in items:
            screen.line(_id(item, trim=trim))
        return 0
    default = ("ID", "CreatedSince" if human else "CreatedAt", "CreatedBy", "Size", "Comment")
    rows = (_row(item, trim=trim, human=human) for item in items)
    Listing(_HEADERS, default, _TYPE).print(rows, given.text("format"), screen)
    return 0


def _row(item: HistoryItem, *, trim: bool, human: bool) -> Row:
    created, size = item.get("Created") or 0, item.get("Size") or 0
    by = (item.get("CreatedBy") or "").replace("\t", " ")
    return Row(
        {
            "ID": _id(item, trim=trim),
            "CreatedSince": lambda: show_age(created) if created > _Y2K else "N/A",
            "CreatedAt": lambda: _created_at(created),
            "CreatedBy": ellipsis(by, 45) if trim else by,
            "Size": show_size(size) if human else str(size),
            "Comment": item.get("Comment") or "",
        },
        _TYPE,
    )


def _id(item: HistoryItem, *, trim: bool) -> str:
    identifier = item.get("Id") or ""
    return identifier.removeprefix("sha256:")[:12] if trim and identifier != "<missing>" else identifier


def _created_at(seconds: int) -> str:
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds > _Y2K else "N/A"


COMMAND = Command(
    summary="Show the history of an image",
    usage="[OPTIONS] IMAGE",
    flags=(
        text("format", "Format output using a custom template: table, 'table TEMPLATE', json or TEMPLATE"),
        switch("human", "Print sizes and dates in human readable format", short="H", default=True),
        switch("no-trunc", "Don't truncate output"),
        text("platform", "Show history for the given platform"),
        switch("quiet", "Only show image IDs", short="q"),
    ),
    at_least=1,
    at_most=1,
    run=run,
)
