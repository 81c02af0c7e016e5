"""`havre system prune`: remove what nothing uses, of each kind."""

from __future__ import annotations

import json

from havre.cli.command import Command
from havre.cli.confirm import confirmed
from havre.cli.filters import filters_query
from havre.cli.flags import Given, UsageError, many, switch
from havre.cli.screen import Screen
from havre.cli.units import show_size
from havre.client.client import Client
from havre.client.errors import ClientError
from havre.wire.containers import PruneContainersReport
from havre.wire.images import PruneImagesReport
from havre.wire.networks import PruneNetworksReport
from havre.wire.system import PruneBuildReport
from havre.wire.volumes import PruneVolumesReport


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print what was removed and the space that is free again."""
    every, volumes = given.switch("all"), given.switch("volumes")
    try:
        filters = filters_query(given.many("filter"))
    except UsageError as error:
        raise UsageError(str(error).replace('"-f, --filter"', '"--filter"')) from None
    if volumes and "until" in json.loads(filters or "{}"):
        raise ClientError('ERROR: The "until" filter is not supported with "--volumes"')
    if not given.switch("force") and not confirmed(warning(given.many("filter"), every=every, volumes=volumes)):
        return 0
    query = {"filters": filters}
    freed = 0
    containers = client.post("/containers/prune", PruneContainersReport, query)
    freed += _told(screen, "Deleted Containers:", containers.get("ContainersDeleted"), containers.get("SpaceReclaimed"))
    networks = client.post("/networks/prune", PruneNetworksReport, query)
    _told(screen, "Deleted Networks:", networks.get("NetworksDeleted"), 0)
    if volumes:
        gone = client.post("/volumes/prune", PruneVolumesReport, query)
        freed += _told(screen, "Deleted Volumes:", gone.get("VolumesDeleted"), gone.get("SpaceReclaimed"))
    dangling = {**json.loads(filters or "{}"), "dangling": {"false" if every else "true": True}}
    images = client.post("/images/prune", PruneImagesReport, {"filters": json.dumps(dangling)})
    lines = [
        f"untagged: {item['Untagged']}" if item.get("Untagged") else f"deleted: {item.get('Deleted')}"
        for item in images.get("ImagesDeleted") or ()
    ]
    freed += _told(screen, "Deleted Images:", lines, images.get("SpaceReclaimed"))
    cache = client.post("/build/prune", PruneBuildReport, {**query, "all": every})
    freed += _told(screen, "Deleted build cache objects:", cache.get("CachesDeleted"), cache.get("SpaceReclaimed"))
    screen.line(f"Total reclaimed space: {show_size(freed, 4)}")
    return 0


def warning(filters: list[str], *, every: bool, volumes: bool) -> str:
    """What is about to go."""
    lines = ["This will remove:", "  - all stopped containers", "  - all networks not used by at least one container"]
    lines += ["  - all anonymous volumes not used by at least one container"] if volumes else []
    lines += (
        ["  - all images without at least one container associated to them", "  - all build cache"]
        if every
        else ["  - all dangling images", "  - unused build cache"]
    )
    if filters:
        lines += ["", "  Items to be pruned will be filtered with:", *(f"  - {entry}" for entry in sorted(filters))]
    return "\n".join([*lines, ""])


def _told(screen: Screen, title: str, names: list[str] | None, freed: int | None) -> int:
    if names:
        screen.line("\n".join([title, *names, ""]))
    return freed or 0


COMMAND = Command(
    summary="Remove unused data",
    usage="[OPTIONS]",
    flags=(
        switch("all", "Remove all unused images not just dangling ones", short="a"),
        many("filter", 'Provide filter values (e.g. "label=<key>=<value>")', kind="filter"),
        switch("force", "Do not prompt for confirmation", short="f"),
        switch("volumes", "Prune anonymous volumes"),
    ),
    at_most=0,
    run=run,
)
