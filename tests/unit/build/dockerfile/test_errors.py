from __future__ import annotations

from havre.base.errors import InvalidInput
from havre.build.dockerfile.errors import DockerfileError, Location, ParseError, excerpt


def test_a_place_is_given_once() -> None:
    nowhere = DockerfileError("no")
    here = nowhere.at(Location.line(3))
    assert (here.reason, here.location) == ("no", Location(3, 3))
    assert here.at(Location.line(4)) is here
    assert str(here) == here.message == "no"
    assert isinstance(here, InvalidInput)


def test_a_parse_error_begins_with_its_line() -> None:
    assert ParseError("no", Location(3, 5)).message == "dockerfile parse error on line 3: no"


def test_the_excerpt_marks_the_lines() -> None:
    text = "FROM a\r\nRUN b \\\n  c\nRUN d\nRUN e\nRUN f"
    assert excerpt(text, Location(2, 3)) == [
        "Dockerfile:2",
        "--------------------",
        "   1 |     FROM a",
        "   2 | >>> RUN b \\",
        "   3 | >>>   c",
        "   4 |     RUN d",
        "--------------------",
    ]


def test_around_one_line_there_are_more() -> None:
    text = "\n".join(f"RUN {number}" for number in range(1, 8))
    assert excerpt(text, Location(4, 4))[2:-1] == [
        "   2 |     RUN 2",
        "   3 |     RUN 3",
        "   4 | >>> RUN 4",
        "   5 |     RUN 5",
        "   6 |     RUN 6",
    ]


def test_the_excerpt_ends_with_the_text() -> None:
    assert excerpt("FROM a", Location(1, 1), name="x/Dockerfile") == [
        "x/Dockerfile:1",
        "--------------------",
        "   1 | >>> FROM a",
        "--------------------",
    ]
