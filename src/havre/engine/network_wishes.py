"""Which networks a container wants, and what it asks of each: from its record to wishes. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from havre.engine.model import BRIDGE, HOST, NONE, SHARED, Record
from havre.engine.ports import port_wishes
from havre.engine.settings import AddressWish, EndpointWish
from havre.networks.model import Join, Wishes

DEFAULTS: Final = frozenset({"", "default", BRIDGE})
BUILT_IN: Final = DEFAULTS | {HOST, NONE}
_NET_ADMIN: Final = frozenset({"CAP_NET_ADMIN", "ALL"})
_SHORT: Final = 12
_NO_WISH: Final = EndpointWish()
_NO_ADDRESS: Final = AddressWish()


def settled_endpoints(
    mode: str, given: Mapping[str, EndpointWish], name_of: Callable[[str], str]
) -> dict[str, EndpointWish]:
    """The endpoints of a container to be made, by the names of their networks, that of its mode among them.

    *name_of* gives the name behind a name or an id, and gives back what no network has: that is told at the start.
    """
    if mode.startswith(SHARED):
        return {}
    main = BRIDGE if mode in DEFAULTS else name_of(mode)
    settled: dict[str, EndpointWish] = {}
    for ref, wish in given.items():
        settled[BRIDGE if ref == "default" else name_of(ref)] = wish
    if not settled:
        return {main: _NO_WISH}
    return settled


def wanted_networks(record: Record) -> dict[str, EndpointWish]:
    """The networks that the container is on, or is to be on when it runs, in the order in which it joins them.

    One that was taken off all of them starts again on that of its mode. The default bridge comes first, then the
    highest priority for the default route.
    """
    mode = record.host.network_mode
    if mode.startswith(SHARED):
        return {}
    if record.config.network_disabled and mode != HOST:
        return {NONE: _NO_WISH}
    wished = record.endpoints or ({} if record.alive else {BRIDGE if mode in DEFAULTS else mode: _NO_WISH})
    ordered = sorted(wished.items(), key=lambda item: (item[0] != BRIDGE, -item[1].gw_priority))
    main = main_network(record)
    mac = record.config.mac_address
    return {
        name: replace(wish, mac_address=mac) if mac and name == main and not wish.mac_address else wish
        for name, wish in ordered
    }


def main_network(record: Record) -> str:
    """The network that the mode names; the first one where it names one that the container left."""
    mode = BRIDGE if record.host.network_mode in DEFAULTS else record.host.network_mode
    return mode if mode in record.endpoints or not record.endpoints else next(iter(record.endpoints))


def wishes_of(record: Record, names: Iterable[str], servers: Iterable[str], roster: Callable[[str], str]) -> Wishes:
    """What the room networks is asked for: to join the networks with these *names*.

    *servers* answer for names that no network knows; *roster* gives the name of the container that a reference means.
    """
    wanted = wanted_networks(record)
    host = record.host
    return Wishes(
        joins=tuple(_join(record, name, wanted.get(name, _NO_WISH), roster) for name in names),
        any_source=host.privileged or bool(_NET_ADMIN & set(host.cap_add or ())),
        name=record.name,
        ports=port_wishes(record) if host.network_mode not in {HOST, NONE} else (),
        servers=tuple(servers),
    )


def _join(record: Record, name: str, wish: EndpointWish, roster: Callable[[str], str]) -> Join:
    addresses = wish.ipam_config or _NO_ADDRESS
    links = [link.rpartition(":") for link in wish.links or ()]
    return Join(
        network=name,
        mac_address=wish.mac_address,
        ip_address=addresses.ipv4_address,
        ipv6_address=addresses.ipv6_address,
        link_local=tuple(addresses.link_local_ips or ()),
        gw_priority=wish.gw_priority,
        names=dns_names(record, wish),
        links=tuple((alias, roster(target or alias)) for target, _, alias in links),
        options=wish.driver_opts or {},
    )


def dns_names(record: Record, wish: EndpointWish) -> tuple[str, ...]:
    """The names that others on a named network find the container by, in Docker's order, each once."""
    hostname = record.config.hostname
    names = [record.name, *(wish.aliases or ()), record.id[:_SHORT], *([hostname] if hostname else [])]
    return tuple(dict.fromkeys(names))
