"""Everything about one container, with every field that Docker 28 gives, in its order."""

from typing import Final, cast

import msgspec

from havre.base import clock
from havre.engine.health import Health
from havre.engine.lifecycle import State
from havre.engine.links import shown_links
from havre.engine.listing import container_sizes
from havre.engine.model import BRIDGE, Record
from havre.engine.own_files import FILES
from havre.engine.parts import Parts
from havre.engine.roster import Container
from havre.engine.shown import mount_points, networks_of, port_map, present_attachment
from havre.wire.container_config import Config, HostConfig
from havre.wire.containers import ContainerInspect, ContainerState, NetworkSettings
from havre.wire.containers import Health as WireHealth
from havre.wire.images import GraphDriver
from havre.wire.versions import NEWEST

# Fields that Docker leaves out while they are empty.
_HOST_OPTIONAL: Final = [
    "Annotations",
    "StorageOpt",
    "Tmpfs",
    "Sysctls",
    "Runtime",
    "KernelMemory",
    "KernelMemoryTCP",
    "Mounts",
    "Init",
]
_CONFIG_OPTIONAL: Final = [
    "ExposedPorts",
    "Healthcheck",
    "ArgsEscaped",
    "NetworkDisabled",
    "MacAddress",
    "StopSignal",
    "StopTimeout",
    "Shell",
]
_OVERLAY: Final = {"lowerdir": "LowerDir", "upperdir": "UpperDir", "workdir": "WorkDir"}


async def inspect(
    parts: Parts, container: Container, *, size: bool, version: tuple[int, int] = NEWEST
) -> ContainerInspect:
    """What GET /containers/{id}/json answers."""
    record = container.record
    started = record.started_ns > 0 or bool(record.failure)
    folder = parts.folders.container(record.id)
    paths = {name: str(folder / name) if started else "" for name in FILES}
    found: ContainerInspect = {
        "Id": record.id,
        "Created": clock.rfc3339(record.created_ns),
        "Path": record.args[0],
        "Args": list(record.args[1:]),
        "State": state_of(record),
        "Image": record.image_id,
        "ResolvConfPath": paths["resolv.conf"],
        "HostnamePath": paths["hostname"],
        "HostsPath": paths["hosts"],
        "LogPath": str(parts.folders.log(record.id)) if started and record.log_driver == "json-file" else "",
        "Name": f"/{record.name}",
        "RestartCount": record.restart_count,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": sorted(container.execs) or None,
        "HostConfig": _host(parts, record),
        "GraphDriver": _driver(parts, record),
        "Mounts": mount_points(record),
        "Config": _config(record),
        "NetworkSettings": _networks(record, version),
    }
    if size:
        found["SizeRw"], found["SizeRootFs"] = await container_sizes(parts, record)
    return found


def state_of(record: Record) -> ContainerState:
    """The state in full."""
    state: ContainerState = {
        "Status": str(record.state),
        "Running": record.alive or record.state is State.RESTARTING,
        "Paused": record.state is State.PAUSED,
        "Restarting": record.state is State.RESTARTING,
        "OOMKilled": record.oom_killed,
        "Dead": record.state is State.DEAD,
        "Pid": record.pid if record.alive else 0,
        "ExitCode": record.exit_code,
        "Error": record.failure,
        "StartedAt": clock.rfc3339(record.started_ns),
        "FinishedAt": clock.rfc3339(record.finished_ns),
    }
    if record.health is not None:
        state["Health"] = _health(record.health)
    return state


def _health(health: Health) -> WireHealth:
    return {
        "Status": health.status,
        "FailingStreak": health.streak,
        "Log": [
            {
                "Start": clock.rfc3339(result.start_ns),
                "End": clock.rfc3339(result.end_ns),
                "ExitCode": result.code,
                "Output": result.output,
            }
            for result in health.log
        ],
    }


def _host(parts: Parts, record: Record) -> HostConfig:
    fields: dict[str, object] = msgspec.to_builtins(record.host)
    fields["Links"] = shown_links(parts, record)
    return cast("HostConfig", _without_empty(fields, _HOST_OPTIONAL))


def _config(record: Record) -> Config:
    fields: dict[str, object] = msgspec.to_builtins(record.config)
    return cast("Config", _without_empty(fields, _CONFIG_OPTIONAL))


def _without_empty(fields: dict[str, object], optional: list[str]) -> dict[str, object]:
    for name in optional:
        # An empty text, list or object; but a false or a zero that somebody chose (Init, StopTimeout) stays.
        if not fields.get(name) and not (name in {"Init", "StopTimeout"} and fields.get(name) is not None):
            fields.pop(name, None)
    return fields


def _driver(parts: Parts, record: Record) -> GraphDriver:
    mounts = parts.snapshots.mounts(record.id)
    options = [option.partition("=") for option in (mounts[0].options or () if mounts else ())]
    data = {_OVERLAY[key]: value for key, _, value in options if key in _OVERLAY}
    data["MergedDir"] = str(parts.snapshots.target(record.id))
    return {"Data": data, "Name": "overlay2"}


def _networks(record: Record, version: tuple[int, int]) -> NetworkSettings:
    own = present_attachment(record)
    bridged = next((each for each in own.endpoints if each.network_name == BRIDGE), None)
    return {
        "Bridge": "",
        "SandboxID": own.namespace_id,
        "SandboxKey": own.netns_path,
        "Ports": port_map(record),
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "EndpointID": bridged.endpoint_id if bridged else "",
        "Gateway": bridged.gateway if bridged else "",
        "GlobalIPv6Address": bridged.ipv6_address if bridged else "",
        "GlobalIPv6PrefixLen": bridged.ipv6_prefix_len if bridged else 0,
        "IPAddress": bridged.ip_address if bridged else "",
        "IPPrefixLen": bridged.ip_prefix_len if bridged else 0,
        "IPv6Gateway": bridged.ipv6_gateway if bridged else "",
        "MacAddress": bridged.mac_address if bridged else "",
        "Networks": networks_of(record, version),
    }
