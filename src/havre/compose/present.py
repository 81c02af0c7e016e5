"""What there is of an application now, read from the engine by Compose's labels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from havre.client.client import Client
from havre.compose.model import names
from havre.wire.containers import ContainerSummary
from havre.wire.networks import Network
from havre.wire.volumes import Volume, VolumeList

RUNNING = frozenset({"running", "paused", "restarting"})


class Container(Struct, frozen=True):
    """One container of the application. *volumes* are names by place, *networks* ids by name."""

    id: str
    name: str
    service: str
    number: int
    state: str
    status: str = ""
    config_hash: str = ""
    image_id: str = ""
    replaces: str = ""
    oneoff: bool = False
    depends_on: tuple[str, ...] = ()
    restarted_after: tuple[str, ...] = ()
    networks: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    summary: ContainerSummary = field(default_factory=ContainerSummary)

    @property
    def is_running(self) -> bool:
        """Whether it has processes."""
        return self.state in RUNNING


class Shared(Struct, frozen=True):
    """A network or volume that the engine has."""

    name: str
    id: str
    config_hash: str = ""
    key: str = ""
    project: str = ""


class Present(Struct, frozen=True):
    """All of one application, and every network and volume of the engine by name."""

    containers: tuple[Container, ...] = ()
    networks: Mapping[str, Shared] = field(default_factory=dict)
    volumes: Mapping[str, Shared] = field(default_factory=dict)

    def of(self, service: str) -> list[Container]:
        """The containers of *service* by number, those of `run` left out."""
        return [one for one in self.containers if one.service == service and not one.oneoff]

    def first_ids(self) -> dict[str, str]:
        """The container of lowest number of each service."""
        held = [one for one in self.containers if not one.oneoff]
        return {one.service: one.id for one in sorted(held, key=lambda one: one.number, reverse=True)}

    def orphans(self, known: Iterable[str]) -> list[Container]:
        """Containers of services that are not among *known*."""
        wanted = set(known)
        return [one for one in self.containers if one.service not in wanted and not one.oneoff]


def observe(client: Client, project: str) -> Present:
    """The state of *project* now."""
    networks = client.get("/networks", list[Network])
    volumes = client.get("/volumes", VolumeList).get("Volumes") or []
    return Present(
        containers=find_containers(client, project),
        networks={one.name: one for one in map(_network, networks)},
        volumes={one.name: one for one in map(_volume, volumes)},
    )


def find_containers(client: Client, project: str) -> tuple[Container, ...]:
    """The containers of *project*, by service and number."""
    filters = json.dumps({"label": [f"{names.PROJECT}={project}"]})
    rows = client.get("/containers/json", list[ContainerSummary], {"all": True, "filters": filters})
    found = [_container(row) for row in rows]
    return tuple(sorted(found, key=lambda one: (one.service, one.oneoff, one.number, one.name)))


def _container(row: ContainerSummary) -> Container:
    labels = row.get("Labels") or {}
    number = labels.get(names.NUMBER, "")
    waits = [entry.split(":") for entry in labels.get(names.DEPENDS_ON, "").split(",") if entry]
    networks = (row.get("NetworkSettings") or {}).get("Networks") or {}
    return Container(
        id=row.get("Id") or "",
        name=((row.get("Names") or ["/"])[0]).lstrip("/"),
        service=labels.get(names.SERVICE, ""),
        number=int(number) if number.isascii() and number.isdecimal() else 0,
        state=row.get("State") or "",
        status=row.get("Status") or "",
        config_hash=labels.get(names.CONFIG_HASH, ""),
        image_id=labels.get(names.IMAGE, ""),
        replaces=labels.get(names.REPLACE, ""),
        oneoff=labels.get(names.ONEOFF, "").lower() == "true",
        depends_on=tuple(entry[0] for entry in waits),
        restarted_after=tuple(entry[0] for entry in waits if entry[2:] == ["true"]),
        networks={name: settings.get("NetworkID") or "" for name, settings in networks.items()},
        volumes={
            mount.get("Destination") or "": mount.get("Name") or ""
            for mount in row.get("Mounts") or ()
            if mount.get("Type") == "volume"
        },
        labels=labels,
        summary=row,
    )


def _network(one: Network) -> Shared:
    labels = one.get("Labels") or {}
    return Shared(
        one.get("Name") or "",
        one.get("Id") or "",
        labels.get(names.CONFIG_HASH, ""),
        labels.get(names.NETWORK, ""),
        labels.get(names.PROJECT, ""),
    )


def _volume(one: Volume) -> Shared:
    labels = one.get("Labels") or {}
    name = one.get("Name") or ""
    return Shared(
        name, name, labels.get(names.CONFIG_HASH, ""), labels.get(names.VOLUME, ""), labels.get(names.PROJECT, "")
    )
