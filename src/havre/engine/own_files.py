"""The files of a container that the engine writes: /etc/hostname, /etc/hosts, /etc/resolv.conf.

They are written anew before each start, so they need no fsync.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from havre.base.errors import HavreError
from havre.engine.links import link_hosts
from havre.engine.model import HOST, NONE, Record
from havre.engine.network_wishes import BUILT_IN, wishes_of
from havre.engine.parts import Parts
from havre.networks.files import (
    changed_hosts_file,
    has_option,
    host_hosts_file,
    hosts_file,
    name_servers,
    own_lines,
    read_host_resolv_conf,
    resolv_conf,
)
from havre.networks.model import RESOLVER, Attachment, Endpoint, Wishes

_MODE = 0o644
_HOST_GATEWAY = "host-gateway"
_WHOLE_NAMES = "ndots:0"
FILES = ("resolv.conf", "hostname", "hosts")


def network_wishes(parts: Parts, record: Record, names: Iterable[str]) -> Wishes:
    """What the room networks is asked for the networks with these *names*."""
    text = read_host_resolv_conf(parts.settings.resolv_conf)
    servers = name_servers(text, record.host.dns or parts.settings.dns)

    def known(ref: str) -> str:
        try:
            return parts.roster.get(ref).name
        except HavreError:
            return ref

    return wishes_of(record, names, servers, known)


def write_own_files(parts: Parts, record: Record, attachment: Attachment) -> None:
    """Write all three. Raises InvalidInput for what would forge a line, OSError."""
    folder = parts.folders.container(record.id)
    folder.mkdir(mode=0o710, exist_ok=True)
    on_host = record.host.network_mode == HOST
    _write(folder / "hostname", f"{record.config.hostname}\n")
    _write(folder / "hosts", _hosts(parts, record, attachment, on_host=on_host))
    _write(folder / "resolv.conf", _resolver(parts, record, attachment, on_host=on_host))


def follow_change(parts: Parts, record: Record, before: Attachment, after: Attachment) -> None:
    """Let the files of a container that runs tell of the networks it is on now; what it wrote itself stays.

    Its resolver is changed only where a name server of ours came or went. Raises OSError.
    """
    folder = parts.folders.container(record.id)
    old, new = _addresses(before.endpoints), _addresses(after.endpoints)
    lines = own_lines(record.config.hostname, record.config.domainname, [each for each in new if each not in old])
    gone = [address for address in old if address not in new]
    _write(folder / "hosts", changed_hosts_file(_read(folder / "hosts"), without=gone, with_lines=lines))
    if _is_served(before) != _is_served(after):
        untouched = _read(folder / "resolv.conf") == _resolver(parts, record, before, on_host=False)
        if untouched:
            _write(folder / "resolv.conf", _resolver(parts, record, after, on_host=False))


def _hosts(parts: Parts, record: Record, attachment: Attachment, *, on_host: bool) -> str:
    extra = [_extra_host(parts, entry) for entry in record.host.extra_hosts or ()]
    if on_host:
        return host_hosts_file(_read(Path("/etc/hosts")), extra)
    return hosts_file(
        hostname=record.config.hostname,
        domainname=record.config.domainname,
        addresses=_addresses(attachment.endpoints),
        extra=extra,
        linked=link_hosts(parts, record),
        ipv6=parts.facts.ipv6,
    )


def _addresses(endpoints: Iterable[Endpoint]) -> list[str]:
    return [address for each in endpoints for address in (each.ip_address, each.ipv6_address) if address]


def _resolver(parts: Parts, record: Record, attachment: Attachment, *, on_host: bool) -> str:
    host, settings = record.host, parts.settings
    text = read_host_resolv_conf(settings.resolv_conf)
    options = host.dns_options or settings.dns_options
    served = _is_served(attachment)
    made = resolv_conf(
        text,
        servers=(RESOLVER,) if served else host.dns or settings.dns,
        search=host.dns_search or settings.dns_search,
        options=options,
        own_namespace=not on_host and host.network_mode != NONE,
    )
    return _with_whole_names(made) if served and not has_option(text, options, "ndots") else made


def _with_whole_names(text: str) -> str:
    """A name without a dot is complete: it may be a neighbour's."""
    lines = text.splitlines()
    with_options = [f"{line} {_WHOLE_NAMES}" if line.startswith("options ") else line for line in lines]
    if with_options == lines:
        with_options.append(f"options {_WHOLE_NAMES}")
    return "".join(f"{line}\n" for line in with_options)


def _is_served(attachment: Attachment) -> bool:
    """Whether the container has a name server of ours."""
    return any(each.network_name not in BUILT_IN for each in attachment.endpoints)


def _extra_host(parts: Parts, entry: str) -> tuple[str, str]:
    """(address, name) of `name:address` or `name=address`."""
    name, _, address = entry.partition("=" if "=" in entry else ":")
    if address == _HOST_GATEWAY:
        address = parts.settings.host_gateway or parts.networks.get("bridge").gateway
    return address.strip("[]"), name


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _write(path: Path, text: str) -> None:
    """In place: the file may be bind-mounted already by a container that shares this one's network."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(path, flags, _MODE)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)
