"""What is wrong with a Dockerfile, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from havre.base.errors import InvalidInput


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """Lines of a Dockerfile, counted from 1; *last* is included."""

    first: int
    last: int

    @classmethod
    def line(cls, number: int) -> Self:
        """One line."""
        return cls(number, number)


class DockerfileError(InvalidInput):
    """A Dockerfile that cannot be built; `message` is Docker's sentence, `location` says where, if one place is to blame."""

    def __init__(self, reason: str, location: Location | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.location = location

    @property
    def message(self) -> str:
        """The reason, after `dockerfile parse error on line N: ` where a line is known."""
        if self.location is None:
            return self.reason
        return f"dockerfile parse error on line {self.location.first}: {self.reason}"

    def __str__(self) -> str:
        return self.message

    def at(self, location: Location) -> Self:
        """The same error at *location*, unless it already knows better."""
        return self if self.location is not None else type(self)(self.reason, location)


def excerpt(text: str, location: Location, *, name: str = "Dockerfile", around: int = 2) -> list[str]:
    """The lines of *text* at *location* and *around* it, numbered and marked, as clients show them below an error."""
    lines = text.split("\n")
    first, last = max(1, location.first - around), min(len(lines), location.last + around)
    shown: Iterable[tuple[int, str]] = zip(range(first, last + 1), lines[first - 1 : last], strict=True)
    return [
        f"{name}:{location.first}",
        "--------------------",
        *(
            f"{number:4} | {'>>>' if location.first <= number <= location.last else '   '} {line}".rstrip()
            for number, line in shown
        ),
        "--------------------",
    ]
