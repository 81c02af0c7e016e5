"""`havre system df`: what takes how much of the disk."""

from __future__ import annotations

from havre.cli.command import Command
from havre.cli.flags import Given, switch, text
from havre.cli.listing import Listing, Row
from havre.cli.screen import Screen
from havre.cli.units import show_size
from havre.client.client import Client
from havre.wire.system import DiskUsage

_HEADERS = {
    "Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE", "Reclaimable": "RECLAIMABLE",
}  # fmt: skip
_RAW = "type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\nreclaimable: {{.Reclaimable}}\n"
_LIVING = ("running", "paused", "restarting")


def run(given: Given, client: Client, screen: Screen) -> int:
    """A line for each kind of thing."""
    usage = client.get("/system/df", DiskUsage)
    form = given.text("format")
    if given.switch("verbose") and form in ("", "table"):
        from havre.cli.usage_details import print_details

        print_details(usage, screen)
        return 0
    rows = [images_row(usage), containers_row(usage), volumes_row(usage), cache_row(usage)]
    listing = Listing(_HEADERS, tuple(_HEADERS), "*formatter.diskUsageContext")
    listing.print(rows, _RAW if form == "raw" else form, screen)
    return 0


def images_row(usage: DiskUsage) -> Row:
    """What layers take; those of images that no container uses could go."""
    images, whole = usage.get("Images") or [], usage.get("LayersSize") or 0
    active = [image for image in images if (image.get("Containers") or 0) > 0]
    used = sum(
        (image.get("Size") or 0) - (image.get("SharedSize") or 0)
        for image in active
        if image.get("Size") != -1 and image.get("SharedSize") != -1
    )
    return _row("Images", len(images), len(active), whole, whole - used)


def containers_row(usage: DiskUsage) -> Row:
    """What writable layers take; those of containers that do not run could go."""
    containers = usage.get("Containers") or []
    active = [one for one in containers if one.get("State") in _LIVING]
    whole = sum(one.get("SizeRw") or 0 for one in containers)
    return _row(
        "Containers", len(containers), len(active), whole, whole - sum(one.get("SizeRw") or 0 for one in active)
    )


def volumes_row(usage: DiskUsage) -> Row:
    """What volumes take; those that no container uses could go."""
    figures = [volume.get("UsageData") or {} for volume in usage.get("Volumes") or ()]
    sizes = [(max(one.get("Size") or 0, 0), (one.get("RefCount") or 0) > 0) for one in figures]
    whole = sum(size for size, _ in sizes)
    used = sum(size for size, active in sizes if active)
    return _row("Local Volumes", len(sizes), sum(active for _, active in sizes), whole, whole - used)


def cache_row(usage: DiskUsage) -> Row:
    """What the builder's cache takes."""
    items = usage.get("BuildCache") or []
    active = sum(bool(item.get("InUse")) for item in items)
    whole = sum(item.get("Size") or 0 for item in items if not item.get("Shared"))
    used = sum(item.get("Size") or 0 for item in items if item.get("InUse") and not item.get("Shared"))
    return _row("Build Cache", len(items), active, whole, whole - used, percent=False)


def _row(kind: str, total: int, active: int, whole: int, free: int, *, percent: bool = True) -> Row:
    reclaimable = show_size(free, 4)
    if percent and whole > 0:
        reclaimable += f" ({free * 100 // whole}%)"
    return Row(
        {
            "Type": kind,
            "TotalCount": str(total),
            "Active": str(active),
            "Size": show_size(whole, 4),
            "Reclaimable": reclaimable,
        },
        "*formatter.diskUsageContext",
    )


COMMAND = Command(
    summary="Show docker disk usage",
    usage="[OPTIONS]",
    flags=(
        text("format", "Format output using a custom template: table, 'table TEMPLATE', json or TEMPLATE"),
        switch("verbose", "Show detailed information on space usage", short="v"),
    ),
    at_most=0,
    run=run,
)
