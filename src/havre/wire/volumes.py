"""Named volumes."""

from typing import TypedDict


class VolumeUsage(TypedDict, total=False):
    """What a volume takes; -1 where it is not known."""

    Size: int | None
    RefCount: int | None


class Volume(TypedDict, total=False):
    """What GET /volumes/{name} answers."""

    Name: str | None
    Driver: str | None
    Mountpoint: str | None
    CreatedAt: str | None
    Status: dict[str, object] | None
    Labels: dict[str, str] | None
    Scope: str | None
    Options: dict[str, str] | None
    UsageData: VolumeUsage | None


class CreateVolume(TypedDict, total=False):
    """What POST /volumes/create takes."""

    Name: str | None
    Driver: str | None
    DriverOpts: dict[str, str] | None
    Labels: dict[str, str] | None


class VolumeList(TypedDict, total=False):
    """What GET /volumes answers."""

    Volumes: list[Volume] | None
    Warnings: list[str] | None


class PruneVolumesReport(TypedDict, total=False):
    """What POST /volumes/prune answers."""

    VolumesDeleted: list[str] | None
    SpaceReclaimed: int | None
