"""The filters of `docker ps`: from words to one question about a container. Pure but for the look-ups it is given."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int
from havre.engine.lifecycle import State
from havre.engine.model import BindMount, Record, VolumeMount
from havre.engine.network_wishes import wanted_networks
from havre.engine.shown import exposed_ports
from havre.wire.filters import Filters

Matcher = Callable[[Record], bool]
_FIELDS: Final = frozenset(
    [
        "ancestor",
        "before",
        "exited",
        "expose",
        "health",
        "id",
        "is-task",
        "isolation",
        "label",
        "name",
        "network",
        "publish",
        "since",
        "status",
        "volume",
    ]
)
_HEALTH: Final = frozenset({"none", "starting", "healthy", "unhealthy"})
_PORT: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp))?\Z", re.ASCII)
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:-]*\Z", re.ASCII)
_MAX_PATTERN: Final = 256
_MAX_REPEATS: Final = 3


@dataclass(frozen=True, slots=True)
class Lookups:
    """What filters must ask: the creation time of another container, and the images that stand on one."""

    created_ns: Callable[[str], int]
    descends: Callable[[str, str], bool]


def matcher(filters: Filters, lookups: Lookups) -> Matcher:
    """One question that holds when all of *filters* do. Raises InvalidInput, and what *lookups* raise."""
    unknown = filters.keys() - _FIELDS
    if unknown:
        raise InvalidInput(f"Invalid filter '{min(unknown)[:64]}'")
    questions = [_MAKERS[field](values, lookups) for field, values in filters.items() if values]
    return lambda record: all(question(record) for question in questions)


def wants_all(filters: Filters) -> bool:
    """Whether the filters alone ask for containers that do not run."""
    return bool(filters.get("status"))


def _ancestor(values: frozenset[str], lookups: Lookups) -> Matcher:
    return lambda record: any(lookups.descends(record.image_id, value) for value in values)


def _before(values: frozenset[str], lookups: Lookups) -> Matcher:
    limit = min(lookups.created_ns(value) for value in values)
    return lambda record: record.created_ns < limit


def _since(values: frozenset[str], lookups: Lookups) -> Matcher:
    limit = max(lookups.created_ns(value) for value in values)
    return lambda record: record.created_ns > limit


def _exited(values: frozenset[str], _: Lookups) -> Matcher:
    codes: set[int] = set()
    for value in values:
        try:
            codes.add(parse_int(value, what="exit code", low=-(2**31), high=2**31))
        except InvalidInput:
            raise InvalidInput(f'strconv.Atoi: parsing "{value[:64]}": invalid syntax') from None
    return lambda record: not record.alive and record.started_ns > 0 and record.exit_code in codes


def _health(values: frozenset[str], _: Lookups) -> Matcher:
    for value in values:
        if value not in _HEALTH:
            raise InvalidInput(f"Unrecognised filter value for health: {value[:64]}")
    return lambda record: ("none" if record.health is None else record.health.status) in values


def _is_task(values: frozenset[str], _: Lookups) -> Matcher:
    for value in values:
        if value.lower() not in {"true", "false", "1", "0"}:
            raise InvalidInput(f"Invalid filter 'is-task=[{value[:64]}]'")
    return lambda _record: bool({"false", "0", "False"} & values)


def _isolation(values: frozenset[str], _: Lookups) -> Matcher:
    return lambda record: (record.host.isolation or "default") in values


def _label(values: frozenset[str], _: Lookups) -> Matcher:
    return label_matcher(values)


def label_matcher(values: frozenset[str]) -> Matcher:
    """Whether a container has every one of the labels, given as `key` or `key=value`."""
    pairs = [value.partition("=") for value in values]
    return lambda record: all(
        key in record.config.labels and (not equals or record.config.labels[key] == value)
        for key, equals, value in pairs
    )


def _names(values: frozenset[str], _: Lookups) -> Matcher:
    patterns = [_pattern(value) for value in values]
    return lambda record: any(found(record.name) or found(f"/{record.name}") for found in patterns)


def _ids(values: frozenset[str], _: Lookups) -> Matcher:
    patterns = [_pattern(value) for value in values]
    return lambda record: any(found(record.id) for found in patterns)


def _networks(values: frozenset[str], _: Lookups) -> Matcher:
    def on_one(record: Record) -> bool:
        names = {record.host.network_mode, *wanted_networks(record)}
        ids = [each.network_id for each in record.attachment.endpoints] if record.attachment is not None else []
        return any(value in names or any(value and one.startswith(value) for one in ids) for value in values)

    return on_one


def _status(values: frozenset[str], _: Lookups) -> Matcher:
    for value in values:
        if value not in set(State):
            raise InvalidInput(f"Invalid filter 'status={value[:64]}'")
    return lambda record: record.state in values


def _volume(values: frozenset[str], _: Lookups) -> Matcher:
    return lambda record: any(
        mount.destination in values
        or (isinstance(mount, BindMount) and mount.source in values)
        or (isinstance(mount, VolumeMount) and mount.name in values)
        for mount in record.mounts
    )


def _expose(values: frozenset[str], _: Lookups) -> Matcher:
    wanted = _ports("expose", values)
    return lambda record: bool(wanted & set(exposed_ports(record.config.exposed_ports)))


def _publish(values: frozenset[str], _: Lookups) -> Matcher:
    _ports("publish", values)
    return lambda _record: False


def _ports(field: str, values: frozenset[str]) -> set[tuple[int, str]]:
    wanted: set[tuple[int, str]] = set()
    for value in values:
        found = _PORT.match(value)
        if found is None:
            raise InvalidInput(f"error while looking up for {field} {value[:64]}: invalid port")
        first, last, kind = found.groups()
        low = parse_int(first, what="port", high=65535)
        high = parse_int(last, what="port", low=low, high=65535) if last else low
        wanted |= {(port, kind or "tcp") for port in range(low, high + 1)}
    return wanted


def _pattern(text: str) -> Callable[[str], bool]:
    """Whether the regular expression *text* is found somewhere; those that could take for ever are refused."""
    if _PLAIN.match(text) and "." not in text:
        return lambda name: text in name
    repeats = sum(text.count(sign) for sign in "*+{?")
    hostile = repeats > _MAX_REPEATS or re.search(r"\)[*+{?]|\\[0-9]|\(\?", text)
    if len(text) > _MAX_PATTERN or hostile:
        raise InvalidInput(f"pattern {text[:64]!r} is too complicated")
    try:
        compiled = re.compile(text, re.ASCII)
    except re.error as wrong:
        raise InvalidInput(f"pattern {text[:64]!r} is no regular expression: {wrong}") from None
    return lambda name: compiled.search(name) is not None


_MAKERS: Final[dict[str, Callable[[frozenset[str], Lookups], Matcher]]] = {
    "ancestor": _ancestor,
    "before": _before,
    "exited": _exited,
    "expose": _expose,
    "health": _health,
    "id": _ids,
    "is-task": _is_task,
    "isolation": _isolation,
    "label": _label,
    "name": _names,
    "network": _networks,
    "publish": _publish,
    "since": _since,
    "status": _status,
    "volume": _volume,
}
