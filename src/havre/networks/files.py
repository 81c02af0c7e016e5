"""The texts of a sandbox's /etc/hosts and /etc/resolv.conf: built from values, written by others."""

import ipaddress
from collections.abc import Iterable, Sequence
from pathlib import Path

from havre.base.errors import InvalidInput

_IPV4_HOSTS = ("127.0.0.1\tlocalhost",)
_IPV6_HOSTS = (
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::\tip6-localnet",
    "ff00::\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
)
_FALLBACK_SERVERS = ("8.8.8.8", "8.8.4.4")
_STUB_RESOLVER = "127.0.0.53"
_STUB_REAL = Path("/run/systemd/resolve/resolv.conf")
_NO_SEARCH = "."


def hosts_file(
    *,
    hostname: str,
    domainname: str = "",
    addresses: Iterable[str] = (),
    extra: Iterable[tuple[str, str]] = (),
    linked: Iterable[tuple[str, str]] = (),
    ipv6: bool = True,
) -> str:
    """/etc/hosts of a sandbox with a network of its own.

    *extra* is pairs of address and name, *linked* of address and names. Raises InvalidInput
    for what is no address or would forge a line.
    """
    lines = [*_IPV4_HOSTS, *(_IPV6_HOSTS if ipv6 else ()), *_host_lines(extra)]
    lines += [f"{_address(address)}\t{_words(names, 'host name')}" for address, names in linked]
    lines += own_lines(hostname, domainname, addresses)
    return _text(lines)


def own_lines(hostname: str, domainname: str, addresses: Iterable[str]) -> list[str]:
    """The lines of a sandbox's own addresses."""
    full = f"{hostname}.{domainname}" if domainname else hostname
    bare = full.partition(".")[0]
    names = full if full == bare else f"{full} {bare}"
    return [f"{_address(address)}\t{_words(names, 'host name')}" for address in addresses]


def changed_hosts_file(text: str, *, without: Iterable[str], with_lines: Iterable[str]) -> str:
    """*text*, which others may have changed, without the lines of some addresses and with some lines more."""
    gone = set(without)
    kept = [line for line in text.splitlines() if (line.split() or [""])[0] not in gone]
    return _text([*kept, *with_lines])


def host_hosts_file(host_text: str, extra: Iterable[tuple[str, str]] = ()) -> str:
    """/etc/hosts of a sandbox in the host's namespace: the host's own, and *extra*."""
    lines = _host_lines(extra)
    if not lines:
        return host_text
    return (host_text if host_text.endswith("\n") or not host_text else f"{host_text}\n") + _text(lines)


def resolv_conf(
    host_text: str,
    *,
    servers: Sequence[str] = (),
    search: Sequence[str] = (),
    options: Sequence[str] = (),
    own_namespace: bool = True,
) -> str:
    """/etc/resolv.conf: the host's, in which each of *servers*, *search*, *options* that is given replaces its part.

    In a namespace of its own (IPv4 only) servers of the host that cannot be reached from there are left out;
    when none is left, public ones stand in. A search list of `.` alone means none. Raises InvalidInput.
    """
    host = _parse(host_text)
    chosen = [_address(server) for server in servers] or host["nameserver"]
    if own_namespace and not servers:
        chosen = [server for server in chosen if _reachable(server)] or list(_FALLBACK_SERVERS)
    domains = [_words(domain, "search domain", single=True) for domain in search] or host["search"]
    wanted = [_words(option, "resolver option", single=True) for option in options] or host["options"]
    lines = [f"nameserver {server}" for server in chosen]
    if domains and domains != [_NO_SEARCH]:
        lines.append(f"search {' '.join(domains)}")
    if wanted:
        lines.append(f"options {' '.join(wanted)}")
    return _text(lines)


def name_servers(host_text: str, servers: Sequence[str] = ()) -> tuple[str, ...]:
    """Whom the name server of a sandbox asks: *servers*, else those of the host, public ones where it has none."""
    given = servers or [server for server in _parse(host_text)["nameserver"] if _is_address(server)]
    return tuple(_address(server) for server in given) or _FALLBACK_SERVERS


def has_option(host_text: str, options: Sequence[str], name: str) -> bool:
    """Whether a resolver option is set by *options*, or by the host where none are given."""
    return any(option.partition(":")[0] == name for option in options or _parse(host_text)["options"])


def read_host_resolv_conf(path: Path) -> str:
    """The host's resolver file; behind systemd's stub the one with the real servers. A missing file is empty."""
    text = _read(path)
    if _parse(text)["nameserver"] == [_STUB_RESOLVER]:
        return _read(_STUB_REAL) or text
    return text


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _parse(text: str) -> dict[str, list[str]]:
    """The words behind each keyword of resolv.conf(5); of `search` and `domain` the last line counts."""
    found: dict[str, list[str]] = {"nameserver": [], "search": [], "options": []}
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] in "#;":
            continue
        keyword, values = words[0], words[1:]
        if keyword == "nameserver":
            found["nameserver"] += values[:1]
        elif keyword in {"search", "domain"}:
            found["search"] = values
        elif keyword == "options":
            found["options"] += values
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return text.isascii() and text.isprintable()


def _reachable(server: str) -> bool:
    """Whether a server of the host is one for a sandbox with IPv4 alone."""
    try:
        address = ipaddress.ip_address(server)
    except ValueError:
        return False
    return address.version == 4 and not address.is_loopback


def _host_lines(extra: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{_address(address)}\t{_words(name, 'extra host', single=True)}" for address, name in extra]


def _address(text: str) -> str:
    try:
        # Of an IPv6 zone Python checks nothing, not even for line ends.
        return _words(str(ipaddress.ip_address(text)), "IP address", single=True)
    except ValueError:
        raise InvalidInput(f"invalid IP address: {text[:64]!r}") from None


def _words(text: str, what: str, *, single: bool = False) -> str:
    """*text* if it can stand on one line of such a file and be read back as what it is."""
    allowed = text.isprintable() and text.strip() == text and text and "#" not in text
    if not allowed or (single and " " in text):
        raise InvalidInput(f"invalid {what}: {text[:64]!r}")
    return text


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
