"""`havre compose volumes`: the volumes of the application."""

from __future__ import annotations

import json

from havre.cli.compose.command import Verb
from havre.cli.compose.session import Session
from havre.cli.flags import Given, switch, text
from havre.cli.listing import Listing, Row
from havre.compose.model.names import PROJECT
from havre.wire.volumes import Volume, VolumeList

_LISTING = Listing(
    {
        "Driver": "DRIVER", "Name": "VOLUME NAME", "Scope": "SCOPE", "Mountpoint": "MOUNTPOINT", "Labels": "LABELS",
        "Links": "LINKS", "Size": "SIZE", "Availability": "AVAILABILITY", "Group": "GROUP", "Status": "STATUS",
    },
    ("Driver", "Name"),
    "*formatter.volumeContext",
)  # fmt: skip


def act(given: Given, session: Session) -> int:
    """All of the application's, or those that the containers of services use."""
    name, _ = session.project_or_name(given.args)
    filters = json.dumps({"label": [f"{PROJECT}={name}"]})
    found = session.client.get("/volumes", VolumeList, {"filters": filters}).get("Volumes") or []
    if given.args:
        used = {volume for one in session.containers(given.args) for volume in one.volumes.values()}
        found = [one for one in found if one.get("Name") in used]
    found = sorted(found, key=lambda one: one.get("Name") or "")
    if given.switch("quiet"):
        for one in found:
            session.screen.line(one.get("Name") or "")
    else:
        _LISTING.print(map(_row, found), given.text("format"), session.screen)
    return 0


def _row(one: Volume) -> Row:
    labels = one.get("Labels") or {}
    return Row(
        {
            "Driver": one.get("Driver") or "",
            "Name": one.get("Name") or "",
            "Scope": one.get("Scope") or "",
            "Mountpoint": one.get("Mountpoint") or "",
            "Labels": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
            "Links": "N/A",
            "Size": "N/A",
            "Availability": "N/A",
            "Group": "N/A",
            "Status": "N/A",
        },
        "*formatter.volumeContext",
    )


VERB = Verb(
    summary="List volumes",
    usage="[OPTIONS] [SERVICE...]",
    flags=(
        text("format", "Format output using a custom template: table, json or a Go template", default="table"),
        switch("quiet", "Only display volume names", short="q"),
    ),
    act=act,
)
