"""The command line as pflag reads it, which is what dockerd's users are used to.

`--name value`, `--name=value`, `-n value`, `-nvalue`; a switch takes its value only after an equals sign.
"""

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from havre.base.errors import InvalidInput
from havre.daemon.options import BY_FLAG, BY_SHORT, OPTIONS, Kind, Option

Value: TypeAlias = bool | int | str | list[str]
Given: TypeAlias = dict[str, Value]
"""What was said, by flag: lists for what may be said several times."""

_REPEATED: Final = frozenset((Kind.LIST, Kind.MAP, Kind.ULIMIT, Kind.POOL, Kind.RUNTIME, Kind.DOOR, Kind.OPTIONS))
_TRUE: Final = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "false", "FALSE", "False"))


def parse_flags(arguments: Sequence[str]) -> Given:
    """The flags in *arguments*. Raises InvalidInput in pflag's words."""
    given: Given = {}
    words = iter(arguments)
    for word in words:
        if word.startswith("--") and len(word) > 2:
            _take_long(word[2:], words, given)
        elif word.startswith("-") and len(word) > 1 and word != "--":
            _take_short(word, words, given)
        else:
            rest = list(words) if word == "--" else [word]
            if rest:
                raise InvalidInput(f'"havred" accepts no arguments: {rest[0]!r}')
    return given


def help_text() -> str:
    """What --help prints."""
    lines = ["", "Usage:  havred [OPTIONS]", "", "A self-sufficient runtime for containers.", "", "Options:"]
    for option in OPTIONS:
        if option.flag:
            short = f"-{option.short}, " if option.short else "    "
            kind = "" if option.kind is Kind.BOOL else f" {option.kind.value}"
            lines.append(f"  {short}--{f'{option.flag}{kind}':38} {option.help}")
    return "\n".join(lines)


def _take_long(text: str, words: Iterator[str], given: Given) -> None:
    name, equals, value = text.partition("=")
    option = BY_FLAG.get(name)
    if option is None:
        raise InvalidInput(f"unknown flag: --{name}")
    if not equals:
        if option.kind is Kind.BOOL:
            value = "true"
        else:
            found = next(words, None)
            if found is None:
                raise InvalidInput(f"flag needs an argument: --{name}")
            value = found
    _store(option, value, given)


def _take_short(word: str, words: Iterator[str], given: Given) -> None:
    rest = word[1:]
    while rest:
        option, letter, rest = BY_SHORT.get(rest[0]), rest[0], rest[1:]
        if option is None:
            raise InvalidInput(f"unknown shorthand flag: {letter!r} in {word}")
        if option.kind is Kind.BOOL and not rest.startswith("="):
            _store(option, "true", given)
            continue
        value = rest.removeprefix("=") if rest else next(words, None)
        if value is None:
            raise InvalidInput(f"flag needs an argument: {letter!r} in {word}")
        _store(option, value, given)
        return


def _store(option: Option, text: str, given: Given) -> None:
    flag = f"-{option.short}, --{option.flag}" if option.short else f"--{option.flag}"
    if option.kind in _REPEATED:
        said = given.setdefault(option.flag, [])
        if isinstance(said, list):
            said.append(text)
    elif option.kind is Kind.BOOL:
        if text not in _TRUE | _FALSE:
            raise InvalidInput(
                f'invalid argument "{text}" for "{flag}" flag: strconv.ParseBool: parsing "{text}": invalid syntax'
            )
        given[option.flag] = text in _TRUE
    elif option.kind is Kind.INT:
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
            raise InvalidInput(
                f'invalid argument "{text}" for "{flag}" flag: strconv.ParseInt: parsing "{text}": invalid syntax'
            )
        given[option.flag] = int(text)
    else:
        given[option.flag] = text
