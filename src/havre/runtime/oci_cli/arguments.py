"""Command lines as runc and crun take them: tables of options, read without a heavy parser (start-up is a budget)."""

from collections.abc import Sequence
from typing import NamedTuple

from havre.base.errors import InvalidInput

_YES, _NO = frozenset({"true", "1", "t"}), frozenset({"false", "0", "f"})


class UsageError(InvalidInput):
    """The command line itself is wrong."""


class Option(NamedTuple):
    """One option; *names* without dashes, the first is the one it is known by. *value* "" makes it a switch."""

    names: tuple[str, ...]
    help: str
    value: str = ""


class Given(NamedTuple):
    """What a command line said. Values of an option that came more than once are in their order."""

    values: dict[str, list[str]]
    rest: tuple[str, ...]

    def has(self, name: str) -> bool:
        """Whether the switch was set."""
        return self.values.get(name, [""])[-1] in _YES

    def one(self, name: str, default: str = "") -> str:
        """The last value given."""
        return self.values.get(name, [default])[-1]

    def all(self, name: str) -> list[str]:
        """Each value given."""
        return self.values.get(name, [])


def parse(words: Sequence[str], options: Sequence[Option], *, to_first_word: bool = False) -> Given:
    """Sort *words* into options and the rest.

    One dash or two, `--name value` or `--name=value`; `--` ends the options. With *to_first_word* the first word
    that is no option ends them too. Raises UsageError.
    """
    known = {name: option for option in options for name in option.names}
    values: dict[str, list[str]] = {}
    rest: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            rest.extend(words[position:])
            break
        if not word.startswith("-") or word == "-":
            rest.append(word)
            if to_first_word:
                rest.extend(words[position:])
                break
            continue
        name, equals, value = word.lstrip("-").partition("=")
        option = known.get(name)
        if option is None:
            raise UsageError(f"flag provided but not defined: {word.partition('=')[0]}")
        if option.value and not equals:
            if position == len(words):
                raise UsageError(f"flag needs an argument: {word}")
            value = words[position]
            position += 1
        if not option.value:
            value = _switch(word, value if equals else "true")
        values.setdefault(option.names[0], []).append(value)
    return Given(values, tuple(rest))


def _switch(word: str, value: str) -> str:
    if value.lower() in _YES:
        return "true"
    if value.lower() in _NO:
        return "false"
    raise UsageError(f'invalid boolean value "{value}" for {word.partition("=")[0]}')


def described(options: Sequence[Option]) -> str:
    """The options as lines of a help text."""
    lines = []
    for option in options:
        names = ", ".join(f"-{name}" if len(name) == 1 else f"--{name}" for name in option.names)
        lines.append((f"{names} {option.value}".rstrip(), option.help))
    width = max((len(names) for names, _ in lines), default=0) + 2
    return "\n".join(f"   {names:{width}}{text}" for names, text in lines)
