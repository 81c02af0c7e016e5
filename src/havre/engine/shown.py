"""A record as the Engine API shows it: mounts, networks, ports; what `ps` and `inspect` have in common. Pure."""

from collections.abc import Iterable

from havre.base.numbers import parse_int
from havre.engine.model import SHARED, BindMount, ImageMount, Record, ResolvedMount, VolumeMount
from havre.engine.settings import EndpointWish
from havre.networks.model import Attachment
from havre.wire.container_config import PortBinding
from havre.wire.containers import MountPoint, Port
from havre.wire.networks import EndpointIPAMConfig, EndpointSettings

_NOTHING = Attachment(sandbox_id="", network_name="")


def mount_points(record: Record) -> list[MountPoint]:
    """The mounts that the user asked for, but those of --tmpfs, as Docker has it."""
    points = (_mount_point(mount) for mount in record.mounts)
    return [point for point in points if point is not None]


def _mount_point(mount: ResolvedMount) -> MountPoint | None:
    if isinstance(mount, BindMount):
        return {
            "Type": "bind",
            "Source": mount.source,
            "Destination": mount.destination,
            "Mode": mount.mode,
            "RW": mount.writable,
            "Propagation": mount.propagation,
        }
    if isinstance(mount, VolumeMount):
        return {
            "Type": "volume",
            "Name": mount.name,
            "Source": mount.source,
            "Destination": mount.destination,
            "Driver": mount.driver,
            "Mode": mount.mode,
            "RW": mount.writable,
            "Propagation": "",
        }
    if isinstance(mount, ImageMount):
        return _plain("image", mount.image, mount.destination, writable=False)
    return _plain("tmpfs", "", mount.destination, writable=mount.writable) if mount.listed else None


def _plain(kind: str, source: str, destination: str, *, writable: bool) -> MountPoint:
    return {
        "Type": kind,
        "Source": source,
        "Destination": destination,
        "Mode": "",
        "RW": writable,
        "Propagation": "",
    }


def present_attachment(record: Record) -> Attachment:
    """How the container is on its network now; of one that does not run, only which network it was."""
    attachment = record.attachment or _NOTHING
    if record.alive:
        return attachment
    return Attachment(sandbox_id="", network_name=attachment.network_name, network_id=attachment.network_id)


def networks_of(record: Record) -> dict[str, EndpointSettings]:
    """The container's endpoints, by network."""
    mode = record.host.network_mode
    if mode.startswith(SHARED):
        return {}
    wish = record.endpoints.get(mode) or record.endpoints.get("default") or EndpointWish()
    return {mode: _endpoint(wish, present_attachment(record))}


def _endpoint(wish: EndpointWish, attachment: Attachment) -> EndpointSettings:
    return {
        "IPAMConfig": _ipam(wish),
        "Links": wish.links,
        "Aliases": wish.aliases,
        "MacAddress": attachment.mac_address or wish.mac_address,
        "DriverOpts": wish.driver_opts,
        "GwPriority": wish.gw_priority,
        "NetworkID": attachment.network_id,
        "EndpointID": attachment.endpoint_id,
        "Gateway": attachment.gateway,
        "IPAddress": attachment.ip_address,
        "IPPrefixLen": attachment.ip_prefix_len,
        "IPv6Gateway": attachment.ipv6_gateway,
        "GlobalIPv6Address": attachment.ipv6_address,
        "GlobalIPv6PrefixLen": attachment.ipv6_prefix_len,
        "DNSNames": None,
    }


def _ipam(wish: EndpointWish) -> EndpointIPAMConfig | None:
    if wish.ipam_config is None:
        return None
    given: EndpointIPAMConfig = {}
    if wish.ipam_config.ipv4_address:
        given["IPv4Address"] = wish.ipam_config.ipv4_address
    if wish.ipam_config.ipv6_address:
        given["IPv6Address"] = wish.ipam_config.ipv6_address
    if wish.ipam_config.link_local_ips:
        given["LinkLocalIPs"] = wish.ipam_config.link_local_ips
    return given


def ports_of(record: Record) -> list[Port]:
    """The ports that a running container offers; none is published in this version."""
    if not record.alive:
        return []
    return [
        {"PrivatePort": number, "Type": kind} for number, kind in sorted(exposed_ports(record.config.exposed_ports))
    ]


def port_map(record: Record) -> dict[str, list[PortBinding] | None]:
    """The same, as `inspect` has it."""
    if not record.alive or record.host.network_mode == "host":
        return {}
    return {f"{number}/{kind}": None for number, kind in sorted(exposed_ports(record.config.exposed_ports))}


def exposed_ports(names: Iterable[str]) -> list[tuple[int, str]]:
    """`80/tcp` as (80, "tcp"); what is no port is passed over."""
    found: list[tuple[int, str]] = []
    for name in names:
        number, _, kind = name.partition("/")
        if number.isascii() and number.isdigit() and len(number) <= 5:
            found.append((parse_int(number, what="port"), kind or "tcp"))
    return found
