"""The files of a container that the engine writes: /etc/hostname, /etc/hosts, /etc/resolv.conf.

They are written anew before each start, so they need no fsync.
"""

import os
from pathlib import Path

from havre.engine.model import HOST, NONE, Record
from havre.engine.parts import Parts
from havre.networks.files import host_hosts_file, hosts_file, read_host_resolv_conf, resolv_conf
from havre.networks.model import Attachment

_MODE = 0o644
_HOST_GATEWAY = "host-gateway"
FILES = ("resolv.conf", "hostname", "hosts")


def write_own_files(parts: Parts, record: Record, attachment: Attachment) -> None:
    """Write all three. Raises InvalidInput for what would forge a line, OSError."""
    folder = parts.folders.container(record.id)
    folder.mkdir(mode=0o710, exist_ok=True)
    on_host = record.host.network_mode == HOST
    _write(folder / "hostname", f"{record.config.hostname}\n")
    _write(folder / "hosts", _hosts(parts, record, attachment, on_host=on_host))
    _write(folder / "resolv.conf", _resolver(parts, record, on_host=on_host))


def _hosts(parts: Parts, record: Record, attachment: Attachment, *, on_host: bool) -> str:
    extra = [_extra_host(parts, entry) for entry in record.host.extra_hosts or ()]
    if on_host:
        return host_hosts_file(_read(Path("/etc/hosts")), extra)
    return hosts_file(
        hostname=record.config.hostname,
        domainname=record.config.domainname,
        addresses=[address for address in (attachment.ip_address, attachment.ipv6_address) if address],
        extra=extra,
        ipv6=parts.facts.ipv6,
    )


def _resolver(parts: Parts, record: Record, *, on_host: bool) -> str:
    host, settings = record.host, parts.settings
    return resolv_conf(
        read_host_resolv_conf(settings.resolv_conf),
        servers=host.dns or settings.dns,
        search=host.dns_search or settings.dns_search,
        options=host.dns_options or settings.dns_options,
        own_namespace=not on_host and host.network_mode != NONE,
    )


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
