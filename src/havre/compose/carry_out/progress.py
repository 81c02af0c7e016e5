"""What happens, told as it happens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """The listener of a plan being carried out; its methods are called from several threads.

    A subject is `Container web-1` or `Network default`; it begins something, and then has done it or failed.
    """

    def begin(self, subject: str, doing: str) -> None:
        """*subject* is now `Creating` or `Starting`."""

    def done(self, subject: str, what: str) -> None:
        """*subject* is `Created` or `Healthy` now."""

    def failed(self, subject: str, reason: str) -> None:
        """*subject* did not get there."""

    def note(self, text: str) -> None:
        """A warning or remark."""

    def output(self, subject: str, line: dict[str, object]) -> None:
        """A line of a pull, push or build, as the API streams it."""
