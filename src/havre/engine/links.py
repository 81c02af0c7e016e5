"""Legacy links on the default bridge: another container's address and environment under a name of one's own."""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from havre.base.errors import Conflict, HavreError, InvalidInput
from havre.base.numbers import parse_int
from havre.engine.model import BRIDGE, Record
from havre.engine.network_wishes import DEFAULTS, wanted_networks
from havre.engine.parts import Parts
from havre.engine.roster import Container, NoSuchContainer

_OWN: Final = frozenset({"HOME", "PATH"})


class NoSuchLink(InvalidInput):
    """The container that is to be linked to is not there."""


def settled_links(parts: Parts, given: list[str] | None, mode: str) -> list[str] | None:
    """The links of a container to be made, each with the other's id, which no rename changes. Raises NoSuchLink."""
    if not given or mode not in DEFAULTS:
        return None  # on a network with names they are that endpoint's
    settled = []
    for link in given:
        ref, alias = _split(link)
        try:
            settled.append(f"{parts.roster.get(ref).id}:{alias}")
        except HavreError as missing:
            raise NoSuchLink(f"could not get container for {ref}: {missing.message}") from None
    return settled


async def remove_link(parts: Parts, ref: str) -> None:
    """Take the link `container/alias` away, durably. Raises NoSuchContainer, InvalidInput."""
    name, slash, alias = ref.removeprefix("/").partition("/")
    container = parts.roster.get(name)
    if not slash:
        raise InvalidInput("Conflict, cannot remove the default link name of the container")
    async with container.lock:
        record = container.record
        kept = [link for link in record.host.links or () if _split(link)[1] != alias]
        if len(kept) == len(record.host.links or ()):
            raise NoSuchContainer(f"No such link: {ref}")
        parts.keep(container, replace(record, host=replace(record.host, links=kept or None)))
        await parts.records.save(container.record)


def shown_links(parts: Parts, record: Record) -> list[str] | None:
    """As `inspect` shows them: `/other:/container/alias`."""
    if not record.host.links:
        return None
    pairs = [_split(link) for link in record.host.links]
    found = [(parts.roster.find(ref), ref, alias) for ref, alias in pairs]
    return [f"/{one.name if one is not None else ref}:/{record.name}/{alias}" for one, ref, alias in found]


def linked(parts: Parts, record: Record) -> list[tuple[Container, str]]:
    """The containers that it is linked to, with their names here. Raises Conflict when one does not run."""
    made = []
    for ref, alias in map(_split, record.host.links or ()):
        other = parts.roster.get(ref)
        if BRIDGE not in wanted_networks(other.record):
            raise InvalidInput(f"Cannot link to /{other.name}, as it does not belong to the default network")
        if not other.record.alive:
            raise Conflict(f"Cannot link to a non running container: /{other.name} AS /{record.name}/{alias}")
        made.append((other, alias))
    return made


def link_hosts(parts: Parts, record: Record) -> list[tuple[str, str]]:
    """(address, names) for /etc/hosts."""
    return [
        (_address(other.record), " ".join(dict.fromkeys([alias, other.id[:12], other.name])))
        for other, alias in linked(parts, record)
    ]


def link_environment(parts: Parts, record: Record) -> tuple[str, ...]:
    """The variables that tell of the linked containers."""
    return tuple(
        entry for other, alias in linked(parts, record) for entry in _variables(other.record, record.name, alias)
    )


def _variables(other: Record, own_name: str, alias: str) -> Iterator[str]:
    prefix = alias.replace("-", "_").upper()
    address = _address(other)
    ports = sorted(
        (parse_int(number, what="port"), kind or "tcp") for number, _, kind in map(_port, other.config.exposed_ports)
    )
    for at, (number, kind) in enumerate(ports):
        if at == 0:
            yield f"{prefix}_PORT={kind}://{address}:{number}"
        base = f"{prefix}_PORT_{number}_{kind.upper()}"
        yield f"{base}={kind}://{address}:{number}"
        yield f"{base}_ADDR={address}"
        yield f"{base}_PORT={number}"
        yield f"{base}_PROTO={kind}"
    yield f"{prefix}_NAME=/{own_name}/{alias}"
    for entry in other.config.env or ():
        name, equals, value = entry.partition("=")
        if equals and name not in _OWN:
            yield f"{prefix}_ENV_{name}={value}"


def _port(name: str) -> tuple[str, str, str]:
    return name.partition("/")


def _split(link: str) -> tuple[str, str]:
    """`container:alias`, `container`, or the form in which `inspect` shows it. Raises InvalidInput."""
    ref, colon, alias = link.rpartition(":")
    if not colon:
        ref, alias = link, link
    alias = alias.rpartition("/")[2]
    if not ref or not alias or ":" in ref:
        raise InvalidInput(f"bad format for links: {link[:256]}")
    return ref.removeprefix("/"), alias


def _address(record: Record) -> str:
    attachment = record.attachment
    endpoints = attachment.endpoints if attachment is not None else ()
    return next((each.ip_address for each in endpoints if each.network_name == BRIDGE), "")
