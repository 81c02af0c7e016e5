"""`--change` of import and commit: Dockerfile instructions applied to an image's process settings."""

import posixpath
import re
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from havre.base.durations import parse_duration
from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int
from havre.images.words import json_list, key_values, split_words, unquote
from havre.oci.image_config import Empty, Healthcheck, ProcessConfig

_DEFAULT_SHELL = ("/bin/sh", "-c")
_LOWEST_NS = 1_000_000
_REAL_TIME = re.compile(r"RTM(?:IN(?:\+(?:[1-9]|1[0-5]))?|AX(?:-(?:[1-9]|1[0-4]))?)\Z", re.ASCII)
_DURATIONS = {
    "--interval": "interval",
    "--timeout": "timeout",
    "--start-period": "start_period",
    "--start-interval": "start_interval",
}


@dataclass(slots=True)
class _Settings:
    process: ProcessConfig
    cmd_set: bool = False

    def set(self, **fields: object) -> None:
        self.process = msgspec.structs.replace(self.process, **fields)

    def variables(self) -> dict[str, str]:
        return dict(entry.partition("=")[::2] for entry in self.process.env or ())


def apply_changes(process: ProcessConfig, changes: Iterable[str]) -> ProcessConfig:
    """*process* after each line of *changes*, in their order. Raises InvalidInput in Docker's words."""
    settings = _Settings(process)
    for change in changes:
        for line in change.splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                _apply(settings, line.strip())
    return settings.process


def is_signal(text: str) -> bool:
    """Whether *text* is a signal: `SIGTERM`, `term`, `RTMIN+3` or a number."""
    name = text.upper().removeprefix("SIG")
    if text.isascii() and text.isdigit():
        return len(text) <= 2 and 1 <= int(text) < signal.NSIG
    return f"SIG{name}" in signal.Signals.__members__ or bool(_REAL_TIME.match(name))


def _apply(settings: _Settings, line: str) -> None:
    word, _, rest = line.replace("\t", " ").partition(" ")
    name = word.lower()
    change = _CHANGES.get(name)
    if change is None:
        raise InvalidInput(f"{name[:64]} is not a valid change command")
    change(settings, rest.strip())


def _command(settings: _Settings, text: str) -> list[str]:
    listed = json_list(text)
    if listed is not None:
        return listed
    return [*(settings.process.shell or _DEFAULT_SHELL), text] if text else []


def _cmd(settings: _Settings, text: str) -> None:
    settings.set(cmd=_command(settings, text))
    settings.cmd_set = True


def _entrypoint(settings: _Settings, text: str) -> None:
    settings.set(entrypoint=_command(settings, text) or None)
    if not settings.cmd_set:  # the command of the image below was meant for its own entry point
        settings.set(cmd=None)


def _env(settings: _Settings, text: str) -> None:
    variables = settings.variables()
    entries = dict(entry.partition("=")[::2] for entry in settings.process.env or ())
    entries.update(key_values("ENV", text, variables))
    settings.set(env=[f"{name}={value}" for name, value in entries.items()])


def _label(settings: _Settings, text: str) -> None:
    labels = dict(settings.process.labels or {})
    labels.update(key_values("LABEL", text, settings.variables()))
    settings.set(labels=labels)


def _expose(settings: _Settings, text: str) -> None:
    words = _words(settings, "EXPOSE", text)
    ports = dict(settings.process.exposed_ports or {})
    for word in words:
        ports.update(dict.fromkeys(parse_ports(word), Empty()))
    settings.set(exposed_ports=ports)


def parse_ports(text: str) -> list[str]:
    """`80`, `53/udp`, `8000-8010/tcp`, each as `port/protocol`. Raises InvalidInput."""
    numbers, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in {"tcp", "udp", "sctp"}:
        raise InvalidInput(f"Invalid proto: {protocol[:64]}")
    first, dash, last = numbers.rpartition(":")[2].partition("-")
    try:
        low = parse_int(first, what="port", low=1, high=65535)
        high = parse_int(last, what="port", low=low, high=65535) if dash else low
    except InvalidInput:
        raise InvalidInput(f"Invalid containerPort: {numbers[:64]}") from None
    return [f"{port}/{protocol}" for port in range(low, high + 1)]


def _user(settings: _Settings, text: str) -> None:
    settings.set(user=_one(settings, "USER", text))


def _stop_signal(settings: _Settings, text: str) -> None:
    name = _one(settings, "STOPSIGNAL", text)
    if not is_signal(name):
        raise InvalidInput(f"Invalid signal: {name[:64]}")
    settings.set(stop_signal=name)


def _work_dir(settings: _Settings, text: str) -> None:
    folder = _one(settings, "WORKDIR", text)
    joined = posixpath.join("/", settings.process.working_dir, folder)
    settings.set(working_dir="/" + posixpath.normpath(joined).lstrip("/"))


def _volume(settings: _Settings, text: str) -> None:
    listed = json_list(text)
    paths = _words(settings, "VOLUME", text) if listed is None else listed
    if not paths:
        raise InvalidInput("VOLUME requires at least one argument")
    if not all(path.strip() for path in paths):
        raise InvalidInput("VOLUME specified can not be an empty string")
    volumes = dict(settings.process.volumes or {})
    volumes.update(dict.fromkeys((path.strip() for path in paths), Empty()))
    settings.set(volumes=volumes)


def _on_build(settings: _Settings, text: str) -> None:
    trigger = text.partition(" ")[0].upper()
    if not trigger:
        raise InvalidInput("ONBUILD requires at least one argument")
    if trigger == "ONBUILD":
        raise InvalidInput("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger in {"FROM", "MAINTAINER"}:
        raise InvalidInput(f"{trigger} isn't allowed as an ONBUILD trigger")
    settings.set(on_build=[*(settings.process.on_build or ()), text])


def _shell(settings: _Settings, text: str) -> None:
    listed = json_list(text)
    if not listed:
        raise InvalidInput("SHELL requires the arguments to be in JSON form")
    settings.set(shell=listed)


def _healthcheck(settings: _Settings, text: str) -> None:
    if not text:
        raise InvalidInput("HEALTHCHECK requires at least one argument")
    words = text.split(" ")
    fields: dict[str, int] = {}
    while words and words[0].startswith("--"):
        _health_flag(fields, words.pop(0))
    kind, rest = (words[0].upper() if words else ""), " ".join(words[1:]).strip()
    if kind == "NONE":
        if rest:
            raise InvalidInput("HEALTHCHECK NONE takes no arguments")
        settings.set(healthcheck=Healthcheck(test=["NONE"]))
        return
    if kind != "CMD":
        raise InvalidInput(
            f'Unknown type "{kind[:64]}" in HEALTHCHECK (try CMD)' if kind else "Missing type for HEALTHCHECK"
        )
    if not rest:
        raise InvalidInput("Missing command after HEALTHCHECK CMD")
    listed = json_list(rest)
    test = ["CMD-SHELL", rest] if listed is None else ["CMD", *listed]
    settings.set(healthcheck=msgspec.structs.replace(Healthcheck(test=test), **fields))


def _health_flag(fields: dict[str, int], flag: str) -> None:
    name, _, value = flag.partition("=")
    if name == "--retries":
        fields["retries"] = parse_int(value, what="retries", low=0, high=2**31 - 1)
        return
    if name not in _DURATIONS:
        raise InvalidInput(f"unknown flag: {name[:64]}")
    duration = parse_duration(value)
    if duration and duration < _LOWEST_NS:
        raise InvalidInput(f'Interval "{name.removeprefix("--")}" cannot be less than 1ms')
    fields[_DURATIONS[name]] = duration


def _words(settings: _Settings, instruction: str, text: str) -> list[str]:
    variables = settings.variables()
    words = [unquote(word, variables) for word in split_words(text)]
    if not words:
        raise InvalidInput(f"{instruction} requires at least one argument")
    return words


def _one(settings: _Settings, instruction: str, text: str) -> str:
    if not text:
        raise InvalidInput(f"{instruction} requires exactly one argument")
    return unquote(text, settings.variables())


_CHANGES: dict[str, Callable[[_Settings, str], None]] = {
    "cmd": _cmd,
    "entrypoint": _entrypoint,
    "env": _env,
    "expose": _expose,
    "healthcheck": _healthcheck,
    "label": _label,
    "onbuild": _on_build,
    "shell": _shell,
    "stopsignal": _stop_signal,
    "user": _user,
    "volume": _volume,
    "workdir": _work_dir,
}
