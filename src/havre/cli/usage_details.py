"""`system df -v`: every image, container, volume and piece of cache with what it takes."""

from __future__ import annotations

from havre.cli.screen import Screen
from havre.cli.tables import clean, ellipsis, table
from havre.cli.units import show_age, show_size
from havre.wire.containers import ContainerSummary
from havre.wire.images import ImageSummary
from havre.wire.system import BuildCacheItem, DiskUsage

_COMMAND = 20
_IMAGES = ("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS")
_CONTAINERS = ("CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES")
_VOLUMES = ("VOLUME NAME", "LINKS", "SIZE")
_CACHE = ("CACHE ID", "CACHE TYPE", "SIZE", "CREATED", "LAST USED", "USAGE", "SHARED")


def print_details(usage: DiskUsage, screen: Screen) -> None:
    """Four tables, each under its title."""
    _print(screen, "Images space usage:", _IMAGES, [_image(one) for one in usage.get("Images") or ()])
    _print(screen, "Containers space usage:", _CONTAINERS, [_container(one) for one in usage.get("Containers") or ()])
    volumes: list[tuple[str, ...]] = []
    for volume in usage.get("Volumes") or ():
        figures = volume.get("UsageData") or {}
        size = show_size(max(figures.get("Size") or 0, 0), 4)
        volumes.append((volume.get("Name") or "", str(figures.get("RefCount") or 0), size))
    _print(screen, "Local Volumes space usage:", _VOLUMES, volumes)
    cache = usage.get("BuildCache") or []
    whole = sum(one.get("Size") or 0 for one in cache if not one.get("Shared"))
    screen.line(f"Build cache usage: {show_size(whole, 4)}")
    screen.line()
    for line in table([_CACHE, *(_cached(one) for one in cache)]):
        screen.line(line)


def _print(screen: Screen, title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    screen.line(title)
    screen.line()
    for line in table([head, *(tuple(map(clean, row)) for row in rows)]):
        screen.line(line)
    screen.line()


def _image(image: ImageSummary) -> tuple[str, ...]:
    """By its first name alone."""
    whole, shared = image.get("Size") or 0, max(image.get("SharedSize") or 0, 0)
    repository, _, tag = next(iter(image.get("RepoTags") or ()), "").rpartition(":")
    return (
        repository or "<none>",
        tag or "<none>",
        (image.get("Id") or "").partition(":")[2][:12],
        show_age(image.get("Created") or 0),
        show_size(whole, 3),
        show_size(shared, 4),
        show_size(whole - shared, 4),
        str(max(image.get("Containers") or 0, 0)),
    )


def _container(one: ContainerSummary) -> tuple[str, ...]:
    local = sum(mount.get("Driver") == "local" for mount in one.get("Mounts") or ())
    names = [name.removeprefix("/") for name in one.get("Names") or () if name.count("/") == 1]
    return (
        (one.get("Id") or "")[:12],
        one.get("Image") or "<no image>",
        '"' + ellipsis(one.get("Command") or "", _COMMAND) + '"',
        str(local),
        show_size(one.get("SizeRw") or 0, 3),
        show_age(one.get("Created") or 0),
        one.get("Status") or "",
        ",".join(names),
    )


def _cached(one: BuildCacheItem) -> tuple[str, ...]:
    return (
        (one.get("ID") or "")[:12],
        one.get("Type") or "",
        show_size(one.get("Size") or 0, 4),
        _ago(one.get("CreatedAt")),
        _ago(one.get("LastUsedAt")),
        str(one.get("UsageCount") or 0),
        str(bool(one.get("Shared"))).lower(),
    )


def _ago(text: str | None) -> str:
    if not text:
        return ""
    from datetime import datetime

    return show_age(datetime.fromisoformat(text[:19] + "+00:00").timestamp())
