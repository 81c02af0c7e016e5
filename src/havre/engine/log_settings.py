"""`--log-driver` and `--log-opt`: what is offered, and the numbers behind the words."""

from typing import Final

from havre.base.errors import InvalidInput, NotSupported
from havre.base.numbers import parse_int
from havre.engine.settings import Config, LogSettings

OFFERED: Final = ("json-file", "none")
_ELSEWHERE: Final = frozenset(
    ["awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "journald", "local", "splunk", "syslog"]
)
_COMMON: Final = frozenset({"mode", "max-buffer-size"})
_JSON_FILE: Final = frozenset(["max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag"])
_UNITS: Final = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}


def check_log(settings: LogSettings) -> None:
    """Raises InvalidInput for what no driver takes, NotSupported for Docker's drivers that Havre lacks."""
    if settings.type in _ELSEWHERE:
        raise NotSupported(f"log driver {settings.type} is not offered by havre; use one of {', '.join(OFFERED)}")
    if settings.type not in {"", *OFFERED}:
        name = settings.type[:64]
        raise InvalidInput(f'error looking up logging plugin {name}: plugin "{name}" not found')
    if settings.type == "none":
        return
    for option in settings.config:
        if option not in _JSON_FILE | _COMMON:
            raise InvalidInput(f"unknown log opt '{option[:64]}' for json-file log driver")
    max_size_bytes(settings)
    max_files(settings)
    if settings.config.get("mode", "blocking") not in {"blocking", "non-blocking"}:
        raise InvalidInput(f"logger: unknown mode {settings.config['mode'][:64]!r}")


def max_size_bytes(settings: LogSettings) -> int:
    """How large a log file may grow; 0 is unlimited. Raises InvalidInput."""
    text = settings.config.get("max-size", "").strip().lower()
    if text in {"", "-1"}:
        return 0
    digits = text.removesuffix("ib").removesuffix("b")
    unit = digits[-1:] if digits[-1:] in _UNITS else ""
    try:
        number = parse_int(digits.removesuffix(unit).strip(), what="size", high=2**40)
    except InvalidInput:
        raise InvalidInput(f"invalid size: '{text[:64]}'") from None
    return number * _UNITS[unit]


def max_files(settings: LogSettings) -> int:
    """How many log files are kept. Raises InvalidInput."""
    text = settings.config.get("max-file", "1")
    try:
        count = parse_int(text, what="max-file", low=-(2**31), high=2**31 - 1)
    except InvalidInput:
        raise InvalidInput(f'strconv.Atoi: parsing "{text[:64]}": invalid syntax') from None
    if count < 1:
        raise InvalidInput("max-file cannot be less than 1")
    if count > 1 and max_size_bytes(settings) == 0 and "max-file" in settings.config:
        return 1  # without a size there is no rotation
    return count


def log_attributes(settings: LogSettings, config: Config) -> dict[str, str]:
    """The labels and variables that the options ask to write beside each line."""
    attributes: dict[str, str] = {}
    for label in _names(settings, "labels"):
        if label in config.labels:
            attributes[label] = config.labels[label]
    env = dict(entry.split("=", 1) for entry in config.env or () if "=" in entry)
    for name in _names(settings, "env"):
        if name in env:
            attributes[name] = env[name]
    if settings.config.get("tag"):
        attributes["tag"] = settings.config["tag"]
    return attributes


def _names(settings: LogSettings, option: str) -> list[str]:
    return [name.strip() for name in settings.config.get(option, "").split(",") if name.strip()]
