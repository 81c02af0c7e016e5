"""The small languages inside option values: sizes, limits, pools, labels."""

import re
from dataclasses import dataclass
from typing import Final

from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int
from havre.daemon.config_file import FileValue

_SIZE: Final = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,9}))?\s?([kmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_EXPONENTS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


@dataclass(frozen=True, slots=True)
class Ulimit:
    """A limit of setrlimit(2); -1 is none."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class Pool:
    """Subnets of prefix length *size* are cut from *base*."""

    base: str
    size: int


def parse_bytes(value: FileValue, what: str) -> int:
    """`64m`, `1.5GiB`, `1024`: powers of 1024. Raises InvalidInput."""
    if isinstance(value, int):
        if value < 0:
            raise InvalidInput(f"invalid {what}: {value}")
        return value
    found = _SIZE.fullmatch(str(value))
    if found is None:
        raise InvalidInput(f"invalid {what}: invalid size: {str(value)[:64]!r}")
    unit = 1 << 10 * _EXPONENTS[found[3].lower()]
    fraction = found[2] or ""
    return int(found[1]) * unit + int(fraction or "0") * unit // int("1" + "0" * len(fraction))


def parse_ulimit(value: FileValue) -> Ulimit:
    """`nofile=1024:2048`, or the object of daemon.json. Raises InvalidInput."""
    if isinstance(value, dict):
        name, soft, hard = value.get("Name"), value.get("Soft"), value.get("Hard")
        if isinstance(name, str) and isinstance(soft, int) and isinstance(hard, int):
            return _checked(Ulimit(name, soft, hard))
        raise InvalidInput(f"invalid ulimit: {value}")
    name, _, limits = str(value).partition("=")
    soft_text, colon, hard_text = limits.partition(":")
    soft_number = parse_int(soft_text, what="ulimit argument", low=-1)
    hard_number = parse_int(hard_text, what="ulimit argument", low=-1) if colon else soft_number
    return _checked(Ulimit(name, soft_number, hard_number))


def parse_pool(value: FileValue) -> Pool:
    """`base=10.0.0.0/8,size=24`, or the object of daemon.json. Raises InvalidInput."""
    if isinstance(value, dict):
        base, size = value.get("base"), value.get("size")
        if isinstance(base, str) and isinstance(size, int):
            return Pool(base, size)
        raise InvalidInput(f"invalid default address pool: {value}")
    fields = dict(parse_pair(part, "default-address-pool") for part in str(value).split(","))
    if fields.keys() != {"base", "size"}:
        raise InvalidInput(f"invalid default address pool: {str(value)[:128]!r}: base=<cidr>,size=<bits> is wanted")
    high = 128 if ":" in fields["base"] else 32
    return Pool(fields["base"], parse_int(fields["size"], what="default address pool size", high=high))


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports from *first* to *last* of a protocol."""

    protocol: str
    first: int
    last: int


def parse_ports(text: str) -> Ports:
    """`80`, `80/udp`, `8000-8100/tcp`. Raises InvalidInput."""
    numbers, _, protocol = text.partition("/")
    first, dash, last = numbers.partition("-")
    low = parse_int(first, what="port in publish-allowed", low=1, high=65535)
    high = parse_int(last, what="port in publish-allowed", low=low, high=65535) if dash else low
    if protocol not in {"", "tcp", "udp", "sctp"}:
        raise InvalidInput(f"invalid publish-allowed: {text[:64]!r} names no protocol that can be published")
    return Ports(protocol or "tcp", low, high)


def parse_network_options(value: FileValue) -> dict[str, dict[str, str]]:
    """`driver=key=value` for each, or the object of daemon.json. Raises InvalidInput."""
    if isinstance(value, dict):
        found = {driver: options for driver, options in value.items() if isinstance(options, dict)}
        if len(found) != len(value) or not all(
            isinstance(one, str) for each in found.values() for one in each.values()
        ):
            raise InvalidInput("invalid default-network-opts: options of a driver are pairs of strings")
        return {driver: {key: str(one) for key, one in options.items()} for driver, options in found.items()}
    made: dict[str, dict[str, str]] = {}
    for entry in value if isinstance(value, list) else ():
        driver, rest = parse_pair(str(entry), "default-network-opt")
        key, text = parse_pair(rest, "default-network-opt")
        made.setdefault(driver, {})[key] = text
    return made


def parse_pair(text: str, what: str) -> tuple[str, str]:
    """`key=value`. Raises InvalidInput."""
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise InvalidInput(f"invalid {what}: {text[:128]!r} is no key=value")
    return key, value


def parse_label(text: str) -> str:
    """The key of a label. Raises InvalidInput."""
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise InvalidInput(f"bad attribute format: {text[:128]}")
    return key


def _checked(limit: Ulimit) -> Ulimit:
    if not limit.name:
        raise InvalidInput("invalid ulimit: it has no name")
    if limit.hard != -1 and (limit.soft == -1 or limit.soft > limit.hard):
        raise InvalidInput(f"ulimit soft limit must be less than or equal to hard limit: {limit.soft} > {limit.hard}")
    return limit
