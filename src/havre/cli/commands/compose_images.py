"""`havre compose images`: the images that the containers were made of."""

from __future__ import annotations

import json

from havre.cli.compose.command import Verb
from havre.cli.compose.session import Session
from havre.cli.flags import Given, switch, text
from havre.cli.tables import clean, table
from havre.cli.units import show_age, show_size
from havre.compose.carry_out.images import split_image
from havre.compose.present import Container
from havre.wire.images import ImageInspect


def act(given: Given, session: Session) -> int:
    """One row a container."""
    found = session.containers(given.args)
    images = {
        identifier: session.client.get(f"/images/{identifier}/json", ImageInspect)
        for identifier in {one.summary.get("ImageID") or "" for one in found}
    }
    if given.switch("quiet"):
        for identifier in sorted(images):
            session.screen.line(identifier.removeprefix("sha256:"))
        return 0
    rows = [_row(one, images[one.summary.get("ImageID") or ""]) for one in found]
    if given.text("format") == "json":
        session.screen.line(json.dumps(rows, separators=(",", ":")))
        return 0
    lines = [["CONTAINER", "REPOSITORY", "TAG", "PLATFORM", "IMAGE ID", "SIZE", "CREATED"]]
    lines += [[clean(str(cell)) for cell in _cells(row)] for row in rows]
    for line in table(lines, least=20):
        session.screen.line(line)
    return 0


def _row(one: Container, image: ImageInspect) -> dict[str, object]:
    tags = image.get("RepoTags") or []
    repository, tag = split_image(tags[0]) if tags else ("<none>", "<none>")
    platform = "/".join(filter(None, (image.get("Os"), image.get("Architecture"), image.get("Variant"))))
    return {
        "ID": image.get("Id") or "",
        "ContainerName": one.name,
        "Repository": repository,
        "Tag": tag,
        "Platform": platform,
        "Size": image.get("Size") or 0,
        "Created": image.get("Created") or "",
    }


def _cells(row: dict[str, object]) -> list[str]:
    identifier = str(row["ID"]).removeprefix("sha256:")[:12]
    size = row["Size"]
    return [
        str(row["ContainerName"]),
        str(row["Repository"]),
        str(row["Tag"]),
        str(row["Platform"]),
        identifier,
        show_size(size if isinstance(size, int) else 0),
        show_age(_seconds(str(row["Created"]))),
    ]


def _seconds(moment: str) -> float:
    from datetime import datetime

    try:
        return datetime.fromisoformat(moment[:19] + "+00:00").timestamp()
    except ValueError:
        return 0.0


VERB = Verb(
    summary="List images used by the created containers",
    usage="[OPTIONS] [SERVICE...]",
    flags=(
        text("format", "Format the output. Values: [table | json]", default="table"),
        switch("quiet", "Only display IDs", short="q"),
    ),
    act=act,
)
