"""What is wrong with a Dockerfile, and where."""

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
    """A Dockerfile that cannot be built: `reason` in Docker's words, `location` if one place is to blame."""

    def __init__(self, reason: str, location: Location | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.location = location

    def at(self, location: Location) -> "DockerfileError":
        """The same error at *location*, unless it already has one."""
        return self if self.location is not None else DockerfileError(self.reason, location)


class ParseError(DockerfileError):
    """A text that is no Dockerfile; the message begins with the line."""

    def __str__(self) -> str:
        return f"dockerfile parse error on line {self.location.first if self.location else 0}: {self.reason}"


def excerpt(text: str, location: Location, *, name: str = "Dockerfile") -> list[str]:
    """The lines of *text* at *location* and a few around them, numbered and marked, as docker shows them."""
    lines = text.split("\n")
    around = 2 if location.first == location.last else 1
    first, last = max(1, location.first - around), min(len(lines), location.last + around)
    marks = {True: ">>>", False: "   "}
    return [
        f"{name}:{location.first}",
        "--------------------",
        *(
            f"{number:4} | {marks[location.first <= number <= location.last]} {lines[number - 1]}".rstrip("\r")
            for number in range(first, last + 1)
        ),
        "--------------------",
    ]
