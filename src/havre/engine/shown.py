"""A record as the Engine API shows it: mounts, networks, ports; what `ps` and `inspect` have in common. Pure."""

from collections.abc import Iterable

from havre.base.numbers import parse_int
from havre.engine.model import BindMount, ImageMount, Record, VolumeMount
from havre.engine.network_wishes import BUILT_IN, dns_names, wanted_networks
from havre.engine.settings import EndpointWish
from havre.networks.model import Attachment, Endpoint, PublishedPort
from havre.wire.container_config import PortBinding
from havre.wire.containers import MountPoint, Port
from havre.wire.networks import EndpointIPAMConfig, EndpointSettings
from havre.wire.versions import NEWEST

_NOTHING = Attachment(sandbox_id="")
_OWN_NAMES_SINCE = (1, 45)
"""Before it, the short id and the host name were shown among the aliases."""


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
    """How the container is on its networks now; of one that does not run, only which they were."""
    attachment = record.attachment or _NOTHING
    if record.alive:
        return attachment
    left = tuple(Endpoint(each.network_id, each.network_name) for each in attachment.endpoints)
    return Attachment(sandbox_id="", endpoints=left)


def networks_of(record: Record, version: tuple[int, int] = NEWEST) -> dict[str, EndpointSettings]:
    """The container's endpoints, by network, as *version* of the API has them."""
    present = {each.network_name: each for each in present_attachment(record).endpoints}
    wanted = wanted_networks(record)
    return {
        name: _endpoint(record, wish, present.get(name) or Endpoint("", name), version) for name, wish in wanted.items()
    }


def _endpoint(record: Record, wish: EndpointWish, endpoint: Endpoint, version: tuple[int, int]) -> EndpointSettings:
    named = endpoint.network_name not in BUILT_IN
    aliases = wish.aliases
    if named and version < _OWN_NAMES_SINCE:
        own = (record.id[:12], record.config.hostname)
        aliases = list(dict.fromkeys([*(aliases or ()), *filter(None, own)]))
    return {
        "IPAMConfig": _ipam(wish),
        "Links": wish.links,
        "Aliases": aliases,
        "MacAddress": endpoint.mac_address or wish.mac_address,
        "DriverOpts": wish.driver_opts,
        "GwPriority": wish.gw_priority,
        "NetworkID": endpoint.network_id,
        "EndpointID": endpoint.endpoint_id,
        "Gateway": endpoint.gateway,
        "IPAddress": endpoint.ip_address,
        "IPPrefixLen": endpoint.ip_prefix_len,
        "IPv6Gateway": endpoint.ipv6_gateway,
        "GlobalIPv6Address": endpoint.ipv6_address,
        "GlobalIPv6PrefixLen": endpoint.ipv6_prefix_len,
        "DNSNames": list(dns_names(record, wish)) if named and endpoint.endpoint_id else None,
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
    published = [one for one in _published(record) if one.host_ip]
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
    for one in _published(record):
        binding: PortBinding = {"HostIp": one.host_ip, "HostPort": str(one.host_port or "")}
        key = f"{one.port}/{one.protocol}"
        shown[key] = [*(shown.get(key) or []), binding]
    return shown


def _published(record: Record) -> tuple[PublishedPort, ...]:
    return record.attachment.ports if record.attachment is not None else ()


def exposed_ports(names: Iterable[str]) -> list[tuple[int, str]]:
    """`80/tcp` as (80, "tcp"); what is no port is passed over."""
    found: list[tuple[int, str]] = []
    for name in names:
        number, _, kind = name.partition("/")
        if number.isascii() and number.isdigit() and len(number) <= 5:
            found.append((parse_int(number, what="port"), kind or "tcp"))
    return found
