"""`--name=value` before an instruction's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.suggest import did_you_mean


class Kind(Enum):
    """What a flag takes."""

    SWITCH = auto()
    """`--name` or `--name=true|false`."""
    TEXT = auto()
    LIST = auto()
    """A text, and the flag may be given again."""


_SWITCH_VALUES: Final = {"": True, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Flags:
    """What was given."""

    _texts: dict[str, list[str]] = field(default_factory=dict)
    _switches: dict[str, bool] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """The value of a TEXT flag, *default* where it was not given."""
        return self._texts.get(name, [default])[0]

    def all(self, name: str) -> tuple[str, ...]:
        """The values of a LIST flag."""
        return tuple(self._texts.get(name, ()))

    def switch(self, name: str) -> bool | None:
        """The value of a SWITCH flag, None where it was not given."""
        return self._switches.get(name)

    def add(self, flag: str, known: Mapping[str, Kind]) -> None:
        """Take in *flag*. Raises DockerfileError."""
        shown, equals, value = flag.partition("=")
        name = shown[2:]
        kind = known.get(name)
        if kind is None:
            raise DockerfileError(did_you_mean(f"unknown flag: {shown}", name, known))
        if kind is not Kind.LIST and (name in self._texts or name in self._switches):
            raise DockerfileError(f"duplicate flag specified: {shown}")
        if bool(equals and not value) if kind is Kind.SWITCH else not equals:
            raise DockerfileError(f"missing a value on flag: {shown}")
        if kind is not Kind.SWITCH:
            self._texts.setdefault(name, []).append(value)
            return
        switch = _SWITCH_VALUES.get(value.lower())
        if switch is None:
            raise DockerfileError(f"expecting boolean value for flag {shown}, not: {value}")
        self._switches[name] = switch


def read_flags(given: tuple[str, ...], known: Mapping[str, Kind]) -> Flags:
    """Raises DockerfileError for a flag that is unknown, given twice, or without the value that it needs."""
    flags = Flags()
    for flag in given:
        flags.add(flag, known)
    return flags


def no_flags(given: tuple[str, ...]) -> None:
    """Raises DockerfileError for any flag."""
    read_flags(given, {})
