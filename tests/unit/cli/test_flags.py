"""The grammar and the words of pflag."""

from __future__ import annotations

import pytest

from havre.cli.flags import UsageError, many, number, parse, switch, text

FLAGS = (
    switch("all", "", short="a"), switch("proxy", "", default=True), text("name", "", short="n"),
    many("env", "", short="e"), number("last", "", default=-1), switch("interactive", "", short="i"),
)  # fmt: skip


def test_values_in_every_spelling() -> None:
    given = parse(["-ai", "--name=x", "-e", "A=1", "-eB=2", "-e=C", "--last", "5", "arg", "--proxy=false"], FLAGS)
    assert given.switch("all")
    assert given.switch("interactive")
    assert not given.switch("proxy")
    assert given.text("name") == "x"
    assert given.many("env") == ["A=1", "B=2", "C"]
    assert given.number("last") == 5
    assert given.args == ["arg"]


def test_defaults_and_whether_a_flag_was_given() -> None:
    given = parse([], FLAGS)
    assert (given.switch("proxy"), given.switch("all"), given.number("last")) == (True, False, -1)
    assert not given.changed("proxy")


def test_the_first_argument_ends_the_flags_where_it_must() -> None:
    assert parse(["image", "-a", "--name"], FLAGS, interspersed=False).args == ["image", "-a", "--name"]


def test_two_dashes_end_the_flags() -> None:
    assert parse(["-a", "--", "-x", "--y"], FLAGS).args == ["-x", "--y"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nosuch"], "unknown flag: --nosuch"),
        (["-az"], "unknown shorthand flag: 'z' in -az"),
        (["--name"], "flag needs an argument: --name"),
        (["-n"], "flag needs an argument: 'n' in -n"),
        (
            ["--all=maybe"],
            'invalid argument "maybe" for "-a, --all" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        (["--last=x"], 'invalid argument "x" for "--last" flag: strconv.ParseInt: parsing "x": invalid syntax'),
    ],
)
def test_what_does_not_fit_is_told_in_dockers_words(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words, FLAGS)
    assert str(caught.value) == message
