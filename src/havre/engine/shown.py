"""A record as the Engine API shows it: mounts, networks, ports; what `ps` and `inspect` have in common. Pure."""

from collections.abc import Iterable

from havre.base.numbers import parse_int
from havre.engine.model import SHARED, BindMount, ImageMount, Record, VolumeMount
from havre.engine.settings import EndpointWish
from havre.networks.model import Attachment
from havre.wire.container_config import PortBinding
from havre.wire.containers import MountPoint, Port
from havre.wire.networks import EndpointIPAMConfig, EndpointSettings

_NOTHING = Attachment(sandbox_id="", network_name="")


def mount_points(record: Record) -> list[MountPoint]:
    """The mounts that the user asked for, but those of --tmpfs, as Docker has it."""
    points: list[MountPoint] = []
    for mount in record.mounts:
        if isinstance(mount, BindMount):
            points.append(
                {
                    "Type": "bind",
                    "Source": mount.source,
                    "Destination": mount.destination,
                    "Mode": mount.mode,
                    "RW": mount.writable,
                    "Propagation": mount.propagation,
                }
            )
        elif isinstance(mount, VolumeMount):
            points.append(
                {
                    "Type": "volume",
                    "Name": mount.name,
                    "Source": mount.source,
                    "Destination": mount.destination,
                    "Driver": mount.driver or "local",
                    "Mode": mount.mode,
                    "RW": mount.writable,
                    "Propagation": "",
                }
            )
        elif isinstance(mount, ImageMount):
            points.append(
                {
                    "Type": "image",
                    "Source": mount.image,
                    "Destination": mount.destination,
                    "Mode": "",
                    "RW": False,
                    "Propagation": "",
                }
            )
        elif mount.listed:
            points.append(
                {
                    "Type": "tmpfs",
                    "Source": "",
                    "Destination": mount.destination,
                    "Mode": "",
                    "RW": mount.writable,
                    "Propagation": "",
                }
            )
    return points


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
    """The ports that a running container offers, and where they are published."""
    if not record.alive:
        return []
    published = record.attachment.ports if record.attachment is not None else ()
    rows: list[Port] = [
        {"IP": one.host_ip, "PrivatePort": one.port, "PublicPort": one.host_port, "Type": one.protocol}
        for one in sorted(published, key=lambda one: (one.port, one.protocol, one.host_ip))
    ]
    led = {(one.port, one.protocol) for one in published}
    bare = [one for one in sorted(exposed_ports(record.config.exposed_ports)) if one not in led]
    return rows + [{"PrivatePort": number, "Type": kind} for number, kind in bare]


def port_map(record: Record) -> dict[str, list[PortBinding] | None]:
    """The same, as `inspect` has it."""
    if not record.alive or record.host.network_mode == "host":
        return {}
    shown: dict[str, list[PortBinding] | None] = {
        f"{number}/{kind}": None for number, kind in sorted(exposed_ports(record.config.exposed_ports))
    }
    for one in record.attachment.ports if record.attachment is not None else ():
        binding: PortBinding = {"HostIp": one.host_ip, "HostPort": str(one.host_port)}
        key = f"{one.port}/{one.protocol}"
        shown[key] = [*(shown.get(key) or []), binding]
    return shown


def exposed_ports(names: Iterable[str]) -> list[tuple[int, str]]:
    """`80/tcp` as (80, "tcp"); what is no port is passed over."""
    found: list[tuple[int, str]] = []
    for name in names:
        number, _, kind = name.partition("/")
        if number.isascii() and number.isdigit() and len(number) <= 5:
            found.append((parse_int(number, what="port"), kind or "tcp"))
    return found
