"""Rules: the first that fits counts."""

from __future__ import annotations

import pytest

from havre.registry.server.auth.access import ALL, MEMBERS, OPEN, Action, Rule, Rules

PULL = frozenset({Action.PULL})
RULES = Rules(
    (
        Rule("library/*", anonymous=PULL, users={"root": ALL}),
        Rule("{user}/*", users={"*": ALL}),
        Rule("team-?/*", users={"ann": PULL, "*": frozenset()}),
        Rule("*", users={"root": ALL}),
    )
)


@pytest.mark.parametrize(
    ("name", "user", "allowed"),
    [
        ("library/a", "", PULL),
        ("library/a/b", "", PULL),
        ("library/a", "root", ALL),
        ("library/a", "ann", PULL),
        ("ann/a", "ann", ALL),
        ("ann/a", "bob", frozenset()),
        ("ann/a", "", frozenset()),
        ("ann/a", "root", ALL),
        ("team-1/x", "ann", PULL),
        ("team-1/x", "bob", frozenset()),
        ("other", "bob", frozenset()),
        ("x/a", "*", frozenset()),  # a user whose name is a pattern is a user of that name only
        ("*/a", "*", ALL),
        ("b/a", "[a-z]", frozenset()),
    ],
)
def test_what_is_allowed(name: str, user: str, allowed: frozenset[Action]) -> None:
    assert RULES.allowed(name, user) == allowed


def test_what_is_open() -> None:
    assert (OPEN.any_anonymous(), OPEN.anonymous_push()) == (True, True)
    assert (MEMBERS.any_anonymous(), MEMBERS.anonymous_push()) == (False, False)
    assert (RULES.any_anonymous(), RULES.anonymous_push()) == (True, False)
