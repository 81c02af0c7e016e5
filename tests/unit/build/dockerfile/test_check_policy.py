from __future__ import annotations

import pytest

from havre.build.dockerfile.check_policy import Policy
from havre.build.dockerfile.check_rules import finding
from havre.build.dockerfile.errors import DockerfileError, Location
from havre.build.dockerfile.parser import parse


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("", Policy()),
        ("skip=A, B ;error=true", Policy(frozenset({"A", "B"}), error=True)),
        ("skip=all;experimental=all;error=0", Policy(frozenset({"all"}), frozenset({"all"}))),
        (" experimental=A ", Policy(experimental=frozenset({"A"}))),
    ],
)
def test_options(text: str, policy: Policy) -> None:
    assert Policy.read(text) == policy


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("skip", 'invalid check option "skip"'),
        ("skp=a", 'invalid check option "skp"'),
        ("error=x", 'failed to parse check option "error=x"'),
        ("a=1;b=2;c=3;d=4", 'invalid check option "a"'),
    ],
)
def test_options_that_are_none(text: str, reason: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        Policy.read(text)
    assert caught.value.reason == f"failed to parse check options: {reason}"


def test_the_build_has_the_last_word() -> None:
    document = parse("# check=skip=A\nFROM a")
    assert Policy.of(document).skip == {"A"}
    assert Policy.of(document, "skip=B").skip == {"B"}
    assert Policy.of(document, "").skip == set()


@pytest.mark.parametrize(
    ("comments", "skip"),
    [
        (("check=skip=A",), {"X", "A"}),
        (("text", "check=skip=A,B // because"), {"X", "A", "B"}),
        (("a=b", "check = skip=A"), {"X", "A"}),
        (("check=nonsense", "check=skip=A"), {"X"}),
        (("nothing",), {"X"}),
        ((), {"X"}),
    ],
)
def test_above_one_instruction(comments: tuple[str, ...], skip: set[str]) -> None:
    assert Policy(frozenset({"X"})).above(comments).skip == skip


@pytest.mark.parametrize(
    ("text", "rule", "counts"),
    [
        ("", "UndefinedVar", True),
        ("skip=UndefinedVar", "UndefinedVar", False),
        ("skip=all", "UndefinedVar", False),
        ("skip=StageNameCasing", "UndefinedVar", True),
        ("", "InvalidDefinitionDescription", False),
        ("experimental=all", "InvalidDefinitionDescription", True),
        ("experimental=InvalidDefinitionDescription;skip=all", "InvalidDefinitionDescription", True),
    ],
)
def test_what_counts(text: str, rule: str, counts: bool) -> None:  # noqa: FBT001
    assert Policy.read(text).lets(rule) is counts


def test_findings_can_be_errors() -> None:
    found = [finding(rule, Location(1, 1)) for rule in ("NoEmptyContinuation", "MaintainerDeprecated")]
    error = Policy(error=True).verdict([*found, *found])
    assert error is not None
    assert error.reason == "lint violation found for rules: MaintainerDeprecated, NoEmptyContinuation"
    assert Policy(error=True).verdict([]) is None
    assert Policy().verdict(found) is None
