"""What a command is: its words for help, its flags, how many arguments it takes, and what it does."""

from __future__ import annotations

from havre.cli.flags import UNBOUNDED, Flag, Given, UsageError
from havre.cli.screen import Screen
from havre.client.client import Client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Command:
    """One verb, made by its module in `cli.commands` as the constant COMMAND.

    *run* gets the flags, a client (which connects at its first call) and the screen, and returns the exit code.
    """

    __slots__ = ("at_least", "at_most", "flags", "interspersed", "run", "summary", "usage")

    def __init__(  # noqa: PLR0913  a table row, all by keyword
        self,
        *,
        summary: str,
        usage: str,
        run: Callable[[Given, Client, Screen], int],
        flags: Sequence[Flag] = (),
        at_least: int = 0,
        at_most: int = UNBOUNDED,
        interspersed: bool = True,
    ) -> None:
        self.summary, self.usage, self.run, self.flags = summary, usage, run, flags
        self.at_least, self.at_most, self.interspersed = at_least, at_most, interspersed

    def check(self, given: Given, path: str) -> None:
        """Raises UsageError in Docker's words when the number of arguments is wrong."""
        count, low, high = len(given.args), self.at_least, self.at_most
        if low <= count <= high:
            return
        if high == 0:
            raise UsageError(f"'{path}' accepts no arguments", 1)
        if low == high:
            raise UsageError(f"'{path}' requires {low} {_arguments(low)}", 1)
        if count < low:
            raise UsageError(f"'{path}' requires at least {low} {_arguments(low)}", 1)
        raise UsageError(f"'{path}' requires at most {high} {_arguments(high)}", 1)


def _arguments(count: int) -> str:
    return "argument" if count == 1 else "arguments"
