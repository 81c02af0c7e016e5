"""Command lines as runc and crun take them."""

from __future__ import annotations

import pytest

from havre.runtime.oci_cli.arguments import Given, Option, UsageError, described, parse

OPTIONS = (
    Option(("bundle", "b"), "path", "PATH"),
    Option(("env", "e"), "variable", "ENV"),
    Option(("force", "f"), "harder"),
)


@pytest.mark.parametrize(
    ("words", "values", "rest"),
    [
        ([], {}, ()),
        (["--bundle", "x", "id"], {"bundle": ["x"]}, ("id",)),
        (["--bundle=x=y", "id"], {"bundle": ["x=y"]}, ("id",)),
        (["-b", "x", "-e", "A=1", "-e", "B=2"], {"bundle": ["x"], "env": ["A=1", "B=2"]}, ()),
        (["-bundle", "x"], {"bundle": ["x"]}, ()),
        (["id", "-f"], {"force": ["true"]}, ("id",)),
        (["--force=false", "id"], {"force": ["false"]}, ("id",)),
        (["id", "--", "-f"], {}, ("id", "-f")),
        (["-", "x"], {}, ("-", "x")),
        (["--bundle=", "x"], {"bundle": [""]}, ("x",)),
    ],
)
def test_options_and_the_rest(words: list[str], values: dict[str, list[str]], rest: tuple[str, ...]) -> None:
    assert parse(words, OPTIONS) == Given(values, rest)


def test_the_first_word_can_end_the_options() -> None:
    assert parse(["-f", "id", "ls", "-b"], OPTIONS, to_first_word=True) == Given(
        {"force": ["true"]}, ("id", "ls", "-b")
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nope"], "flag provided but not defined: --nope"),
        (["--nope=1"], "flag provided but not defined: --nope"),
        (["id", "-b"], "flag needs an argument: -b"),
        (["--force=perhaps"], "invalid boolean value"),
    ],
)
def test_what_is_no_command_line(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(words, OPTIONS)


def test_the_last_one_counts_where_one_is_wanted() -> None:
    given = parse(["-b", "x", "-b", "y", "-f", "--force=false"], OPTIONS)
    assert given.one("bundle") == "y"
    assert given.one("env", "none") == "none"
    assert given.all("env") == []
    assert not given.has("force")


def test_help_has_a_line_an_option() -> None:
    assert described(OPTIONS).splitlines()[0] == "   --bundle, -b PATH  path"
