"""What a verb of `havre compose` is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from havre.cli.command import Command
from havre.cli.compose.session import Session
from havre.cli.flags import UNBOUNDED, Flag, Given, UsageError
from havre.cli.screen import Screen
from havre.client.client import Client


class Verb(Command):
    """One verb, made by its module `cli.commands.compose_<verb>` as the constant VERB; *act* gets flags and session."""

    __slots__ = ("act",)

    def __init__(  # noqa: PLR0913  a table row, all by keyword
        self,
        *,
        summary: str,
        usage: str,
        act: Callable[[Given, Session], int],
        flags: Sequence[Flag] = (),
        at_least: int = 0,
        at_most: int = UNBOUNDED,
        interspersed: bool = True,
    ) -> None:
        super().__init__(
            summary=summary,
            usage=usage,
            run=_needs_session,
            flags=flags,
            at_least=at_least,
            at_most=at_most,
            interspersed=interspersed,
        )
        self.act = act


def _needs_session(_: Given, __: Client, ___: Screen) -> int:
    raise UsageError("a verb of compose cannot be run on its own")
