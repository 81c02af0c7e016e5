"""`--log-driver` and `--log-opt`: what is offered, and the numbers behind the words."""

import re
from typing import Final

from havre.base.errors import HavreError, InvalidInput, NotSupported
from havre.base.numbers import parse_int
from havre.engine import tags
from havre.engine.settings import Config, LogSettings
from havre.logs import syslog

OFFERED: Final = ("json-file", "local", "syslog", "journald", "none")
REMOTE: Final = ("syslog", "journald")
"""These cannot be read back: a copy is kept beside them."""

_ELSEWHERE: Final = frozenset(["awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "splunk"])
_COMMON: Final = frozenset({"mode", "max-buffer-size"})
_CACHE: Final = frozenset(["cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"])
_FILES: Final = frozenset(["max-file", "max-size", "compress", "max-age", "min-free"])
_NAMED: Final = frozenset(["labels", "labels-regex", "env", "env-regex", "tag"])
_TLS: Final = frozenset(f"syslog-tls-{word}" for word in ("ca-cert", "cert", "key", "skip-verify"))
_OPTIONS: Final = {
    "json-file": _FILES | _NAMED,
    "local": _FILES,
    "syslog": _NAMED | _CACHE | _TLS | {"syslog-address", "syslog-facility", "syslog-format"},
    "journald": _NAMED | _CACHE,
}
_UNITS: Final = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_SPANS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_TRUE: Final = frozenset(["1", "t", "T", "TRUE", "true", "True"])
_FALSE: Final = frozenset(["0", "f", "F", "FALSE", "false", "False"])
_DEFAULT_BUFFER_BYTES: Final = 1_000_000

DEFAULT_SIZE_BYTES: Final = 20_000_000
DEFAULT_FILES: Final = 5
DEFAULT_MIN_FREE_BYTES: Final = 64 << 20


def check_log(settings: LogSettings) -> None:
    """Raises InvalidInput for what no driver takes, NotSupported for Docker's drivers that Havre lacks."""
    if settings.type in _ELSEWHERE:
        raise NotSupported(f"log driver {settings.type} is not offered by havre; use one of {', '.join(OFFERED)}")
    if settings.type not in {"", *OFFERED}:
        name = settings.type[:64]
        raise InvalidInput(f'error looking up logging plugin {name}: plugin "{name}" not found')
    if settings.type == "none":
        return
    driver = settings.type or "json-file"
    buffer_bytes(settings)
    for option in settings.config:
        if option not in _OPTIONS[driver] | _COMMON:
            ending = "log driver local" if driver == "local" else f"{driver} log driver"
            raise InvalidInput(f"unknown log opt '{option[:64]}' for {ending}")
    if driver == "syslog":
        _check_syslog(settings)
    try:
        _check_values(settings)
    except InvalidInput as error:
        raise InvalidInput(f"failed to initialize logging driver: {error.message}") from None


def _check_values(settings: LogSettings) -> None:
    for prefix in ("", "cache-"):
        max_size_bytes(settings, prefix)
        max_files(settings, prefix)
        compressed(settings, prefix)
    max_age_s(settings)
    min_free_bytes(settings)
    for option in ("labels-regex", "env-regex"):
        _pattern(settings, option)
    tags.check_tag(settings.config.get("tag", ""))


def _check_syslog(settings: LogSettings) -> None:
    options = settings.config
    if _TLS & options.keys() or options.get("syslog-address", "").startswith("tcp+tls://"):
        raise NotSupported("syslog over TLS is not offered by havre")
    address = options.get("syslog-address", "")
    try:
        syslog.parse_address(address)
    except ValueError:
        raise InvalidInput(f"syslog-address should be in form proto://address, got {address[:128]}") from None
    try:
        syslog.facility(options.get("syslog-facility", ""))
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    if options.get("syslog-format", "") not in syslog.FORMATS:
        raise InvalidInput("Invalid syslog format")


def max_size_bytes(settings: LogSettings, prefix: str = "") -> int:
    """How large a log file may grow; 0 is unlimited, as `-1` asks for. Raises InvalidInput."""
    text = settings.config.get(f"{prefix}max-size", "").strip().lower()
    if text == "":
        return DEFAULT_SIZE_BYTES
    return 0 if text == "-1" else _size(text)


def min_free_bytes(settings: LogSettings) -> int:
    """So much of the disk is to stay free before older files go; 0 is not looked at. Raises InvalidInput."""
    text = settings.config.get("min-free", "").strip().lower()
    return _size(text) if text else DEFAULT_MIN_FREE_BYTES


def max_age_s(settings: LogSettings) -> int:
    """How old a file of the past may become; 0 is as old as it likes. Raises InvalidInput."""
    text = settings.config.get("max-age", "")
    if text in {"", "0"}:
        return 0
    unit = text[-1:]
    if unit not in _SPANS_S:
        raise InvalidInput(f"invalid max-age: '{text[:64]}': a number and one of s, m, h, d, w")
    return parse_int(text[:-1], what="max-age", low=1, high=2**31) * _SPANS_S[unit]


def max_files(settings: LogSettings, prefix: str = "") -> int:
    """How many log files are kept. Raises InvalidInput."""
    option = f"{prefix}max-file"
    text = settings.config.get(option, "")
    if not text:
        sized = settings.type in {"", "json-file"} and "max-size" in settings.config
        return 1 if sized else DEFAULT_FILES
    try:
        count = parse_int(text, what=option, low=-(2**31), high=2**31 - 1)
    except InvalidInput:
        raise InvalidInput(f'strconv.Atoi: parsing "{text[:64]}": invalid syntax') from None
    if count < 1:
        raise InvalidInput(f"{option} cannot be less than 1")
    return count


def compressed(settings: LogSettings, prefix: str = "") -> bool:
    """Whether files of the past are packed: by default those of `local`, and copies. Raises InvalidInput."""
    text = settings.config.get(f"{prefix}compress", "")
    if not text:
        return settings.type == "local" or settings.type in REMOTE
    if text not in _TRUE | _FALSE:
        raise InvalidInput(f'strconv.ParseBool: parsing "{text[:64]}": invalid syntax')
    if text in _TRUE and (max_files(settings, prefix) < 2 or not max_size_bytes(settings, prefix)):
        raise InvalidInput("compress cannot be true when max-file is less than 2 or max-size is not set")
    return text in _TRUE


def buffer_bytes(settings: LogSettings) -> int:
    """How much may wait for the driver before lines are lost; 0 is that the container waits. Raises InvalidInput."""
    mode, text = settings.config.get("mode", ""), settings.config.get("max-buffer-size", "")
    if mode not in {"", "blocking", "non-blocking"}:
        raise InvalidInput(f"logger: logging mode not supported: {mode[:64]}")
    if mode != "non-blocking":
        if text:
            raise InvalidInput("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
        return 0
    try:
        return (_size(text.strip().lower()) if text else 0) or _DEFAULT_BUFFER_BYTES
    except InvalidInput as error:
        raise InvalidInput(f"error parsing option max-buffer-size: {error.message}") from None


def cached(settings: LogSettings) -> bool:
    """Whether a copy is kept of what is written elsewhere."""
    return settings.type in REMOTE and settings.config.get("cache-disabled", "") not in _TRUE


def readable(settings: LogSettings) -> bool:
    """Whether what was said can be read back."""
    return settings.type != "none" and (settings.type not in REMOTE or cached(settings))


def log_attributes(settings: LogSettings, config: Config) -> dict[str, str]:
    """The labels and variables that the options ask to write beside each line."""
    env = dict(entry.split("=", 1) for entry in config.env or () if "=" in entry)
    return _chosen(settings, "labels", config.labels) | _chosen(settings, "env", env)


def _chosen(settings: LogSettings, option: str, among: dict[str, str]) -> dict[str, str]:
    names = [name.strip() for name in settings.config.get(option, "").split(",")]
    found = {name: among[name] for name in names if name and name in among}
    pattern = _pattern(settings, f"{option}-regex")
    if pattern is not None:
        found |= {name: value for name, value in among.items() if pattern.search(name)}
    return found


def _pattern(settings: LogSettings, option: str) -> re.Pattern[str] | None:
    text = settings.config.get(option, "")
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise InvalidInput(f"error parsing regexp: {error}: `{text[:128]}`") from None


def _size(text: str) -> int:
    digits = text.removesuffix("ib").removesuffix("b")
    unit = digits[-1:] if digits[-1:] in _UNITS else ""
    number = digits.removesuffix(unit).strip()
    try:
        return int(float(number) * _UNITS[unit]) if "." in number else _whole(number) * _UNITS[unit]
    except (HavreError, ValueError, OverflowError):
        raise InvalidInput(f"invalid size: '{text[:64]}'") from None


def _whole(text: str) -> int:
    return parse_int(text, what="size", high=2**40)
