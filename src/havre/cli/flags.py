"""Command-line flags with the grammar of Docker's (pflag): combined short flags, `--flag=value`, repeated lists.

Kept free of imports: this file is on the path of every command, whose start-up is a budget.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


UNBOUNDED = 1 << 30
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class UsageError(Exception):
    """The command line does not fit the command; the exit code is what Docker gives for it."""

    def __init__(self, message: str, exit_code: int = 125) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Flag:
    """One flag: *kind* is the word shown in help ("" for a switch), *check* refuses bad values by ValueError."""

    __slots__ = ("check", "default", "kind", "many", "name", "short", "summary")

    def __init__(
        self,
        name: str,
        summary: str,
        *,
        short: str = "",
        kind: str = "",
        default: str = "",
        check: Callable[[str], object] | None = None,
    ) -> None:
        self.name, self.summary, self.short, self.kind, self.default = name, summary, short, kind, default
        self.check = check
        self.many = kind in (
            "list",
            "filter",
            "map",
            "mount",
            "ulimit",
            "network",
            "stringArray",
            "strings",
            "bytes-list",
        )

    @property
    def shown(self) -> str:
        """As error messages name it: `-m, --memory`."""
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


def switch(name: str, summary: str, *, short: str = "", default: bool = False) -> Flag:
    """A flag that is there or not; `--name=false` takes it back."""
    return Flag(name, summary, short=short, default="true" if default else "false")


def text(
    name: str,
    summary: str,
    *,
    short: str = "",
    default: str = "",
    check: Callable[[str], object] | None = None,
) -> Flag:
    """A flag with one value; the last one given wins."""
    return Flag(name, summary, short=short, kind="string", default=default, check=check)


def number(name: str, summary: str, *, short: str = "", default: int = 0) -> Flag:
    """A flag with a decimal number."""
    return Flag(name, summary, short=short, kind="int", default=str(default), check=_int)


def many(
    name: str,
    summary: str,
    *,
    short: str = "",
    kind: str = "list",
    check: Callable[[str], object] | None = None,
) -> Flag:
    """A flag that may be repeated."""
    return Flag(name, summary, short=short, kind=kind, check=check)


class Given:
    """What a command line gave: flags by name, and the arguments left over."""

    __slots__ = ("_flags", "_values", "args")

    def __init__(self, flags: Sequence[Flag]) -> None:
        self._flags = {flag.name: flag for flag in flags}
        self._values: dict[str, list[str]] = {}
        self.args: list[str] = []

    def put(self, flag: Flag, value: str) -> None:
        """Take one value. Raises UsageError in pflag's words when it does not fit."""
        try:
            if not flag.kind:
                value = str(_bool(value)).lower()
            elif flag.check is not None:
                flag.check(value)
        except ValueError as error:
            raise UsageError(f'invalid argument "{value}" for "{flag.shown}" flag: {error}') from None
        self._values.setdefault(flag.name, []).append(value)

    def changed(self, name: str) -> bool:
        """Whether the flag was given at all."""
        return name in self._values

    def switch(self, name: str) -> bool:
        """The value of a switch."""
        return self.text(name) == "true"

    def text(self, name: str) -> str:
        """The last value, or the default."""
        return self._values[name][-1] if name in self._values else self._flags[name].default

    def number(self, name: str) -> int:
        """The last value as a number."""
        return int(self.text(name) or "0", 0)

    def many(self, name: str) -> list[str]:
        """Every value, in order."""
        return self._values.get(name, [])


def parse(words: Sequence[str], flags: Sequence[Flag], *, interspersed: bool = True) -> Given:
    """Read *words*; without *interspersed* the first argument ends the flags (as for `run` and `exec`)."""
    given = Given(flags)
    longs = {flag.name: flag for flag in flags}
    shorts = {flag.short: flag for flag in flags if flag.short}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            given.args += rest
            break
        if word.startswith("--"):
            _long(word[2:], rest, longs, given)
        elif word.startswith("-") and word != "-":
            _short(word[1:], rest, shorts, given)
        else:
            given.args.append(word)
            if not interspersed:
                given.args += rest
                break
    return given


def _long(body: str, rest: list[str], longs: dict[str, Flag], given: Given) -> None:
    name, equals, value = body.partition("=")
    flag = longs.get(name)
    if flag is None:
        raise UsageError("help" if name == "help" else f"unknown flag: --{name}")
    if equals:
        given.put(flag, value)
    elif not flag.kind:
        given.put(flag, "true")
    elif rest:
        given.put(flag, rest.pop(0))
    else:
        raise UsageError(f"flag needs an argument: --{name}")


def _short(body: str, rest: list[str], shorts: dict[str, Flag], given: Given) -> None:
    letters = body
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = shorts.get(letter)
        if flag is None:
            raise UsageError("help" if letter == "h" else f"unknown shorthand flag: '{letter}' in -{body}")
        if not flag.kind and not letters.startswith("="):
            given.put(flag, "true")
            continue
        if letters:
            given.put(flag, letters.removeprefix("="))
        elif rest:
            given.put(flag, rest.pop(0))
        else:
            raise UsageError(f"flag needs an argument: '{letter}' in -{body}")
        return


def _bool(value: str) -> bool:
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    raise ValueError(f'strconv.ParseBool: parsing "{value}": invalid syntax')


def _int(value: str) -> int:
    try:
        return int(value, 0)
    except ValueError:
        raise ValueError(f'strconv.ParseInt: parsing "{value}": invalid syntax') from None
