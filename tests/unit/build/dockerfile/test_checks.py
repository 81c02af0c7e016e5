from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from havre.build.dockerfile.check_policy import Policy
from havre.build.dockerfile.checks import Facts, check
from havre.build.dockerfile.ignore import Ignore
from havre.build.dockerfile.parser import parse
from havre.build.dockerfile.program import read_document
from havre.build.dockerfile.scope import Platforms
from havre.oci.descriptor import Platform

AMD64 = Platform(architecture="amd64", os="linux")
PLATFORMS = Platforms(AMD64, AMD64)
NOTHING: Mapping[str, Any] = {}


def found(text: str, facts: Mapping[str, Any] = NOTHING) -> list[tuple[str, int, str]]:
    document = parse(text)
    findings = check(document, read_document(document), Facts(platforms=PLATFORMS, **facts))
    return [(one.rule, one.location.first, one.message) for one in findings]


@pytest.mark.parametrize(
    "text",
    [
        "FROM scratch AS a\nFROM a\nRUN b",
        "from scratch as a\nrun b",
        "ARG v=1\nFROM a:$v",
        "FROM --platform=$BUILDPLATFORM a",
        "FROM --platform=linux/arm64 a AS build_arm64",
        "FROM --platform=linux/arm64 a AS linux",
        "FROM --platform=a/b/c/d a",
        "From scratch AS a\nRUN b\nRUN c",
        "FROM scratch\nENV a=$PATH",
        "FROM alpine\nENV a=$UNKNOWN_IN_AN_IMAGE_NOBODY_LOOKED_INTO",
        "FROM scratch AS a\nENV v=1\nWORKDIR /w\nFROM a\nENV w=$v\nWORKDIR x",
        "ARG a=${b?no}\nFROM $a",
        "FROM ${a\nENV b=$c",
    ],
)
def test_nothing_to_say(text: str) -> None:
    findings = found(text)
    assert [one for one in findings if one[0] != "ConsistentInstructionCasing"] == []


@pytest.mark.parametrize(
    ("text", "rule", "line", "message"),
    [
        ("FROM a\nRUN b \\\n\n c", "NoEmptyContinuation", 4, "Empty continuation line"),
        ("FROM a AS B", "StageNameCasing", 1, "Stage name 'B' should be lowercase"),
        ("FROM a as b", "FromAsCasing", 1, "'as' and 'FROM' keywords' casing do not match"),
        ("from a AS b", "FromAsCasing", 1, "'AS' and 'from' keywords' casing do not match"),
        (
            "FROM a\nRUN b\nrun c",
            "ConsistentInstructionCasing",
            3,
            "Command 'run' should match the case of the command majority (uppercase)",
        ),
        (
            "from a\nrun b\nRun c",
            "ConsistentInstructionCasing",
            3,
            "Command 'Run' should match the case of the command majority (lowercase)",
        ),
        ("FROM a AS b\nFROM c AS b", "DuplicateStageName", 2, 'Duplicate stage name "b", stage names should be unique'),
        (
            "FROM a AS scratch",
            "ReservedStageName",
            1,
            'Stage name should not use the same name as reserved stage "scratch"',
        ),
        (
            "FROM a\nMAINTAINER b",
            "MaintainerDeprecated",
            2,
            "Maintainer instruction is deprecated in favor of using label",
        ),
        ("FROM x:$a", "UndefinedArgInFrom", 1, "FROM argument 'a' is not declared"),
        (
            "FROM --platform=$BULIDPLATFORM a",
            "UndefinedArgInFrom",
            1,
            "FROM argument 'BULIDPLATFORM' is not declared (did you mean BUILDPLATFORM?)",
        ),
        (
            "FROM --platform=${TARGETPLATFORM} a",
            "RedundantTargetPlatform",
            1,
            "Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior",
        ),
        (
            "FROM --platform=linux/arm64 a AS b",
            "FromPlatformFlagConstDisallowed",
            1,
            'FROM --platform flag should not use constant value "linux/arm64"',
        ),
        (
            "ARG v\nFROM a:$v",
            "InvalidDefaultArgInFrom",
            2,
            "Default value for ARG a:$v results in empty or invalid base image name",
        ),
        ("FROM scratch\nENV a=$b", "UndefinedVar", 2, "Usage of undefined variable '$b'"),
    ],
)
def test_findings(text: str, rule: str, line: int, message: str) -> None:
    facts = {"given": {"v": "1"}} if rule == "InvalidDefaultArgInFrom" else NOTHING
    assert (rule, line, message) in found(text, facts)


def test_findings_come_in_the_order_of_lines() -> None:
    assert [(rule, line) for rule, line, _ in found("FROM a as B\nMAINTAINER c\nCMD d")] == [
        ("FromAsCasing", 1),
        ("StageNameCasing", 1),
        ("MaintainerDeprecated", 2),
        ("JSONArgsRecommended", 3),
    ]


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("# check=skip=StageNameCasing\nFROM a AS B", []),
        ("# check=skip=all\nFROM a AS B\nMAINTAINER c", []),
        ("FROM a\n# check=skip=MaintainerDeprecated // ours\nMAINTAINER c", []),
        ("FROM a\n# check=skip=StageNameCasing\nMAINTAINER c", ["MaintainerDeprecated"]),
    ],
)
def test_skipped_checks(text: str, rules: list[str]) -> None:
    assert [rule for rule, _, _ in found(text)] == rules


def test_the_build_may_say_what_counts() -> None:
    facts = {"policy": Policy(frozenset({"StageNameCasing"}))}
    assert found("# check=skip=all\nFROM a AS B\nMAINTAINER c", facts)[0][0] == "MaintainerDeprecated"


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("# a is it\nARG a=1\n# b is it\nFROM x AS b\n# c is it\nARG c d", []),
        ("# is it\nARG a=1\nFROM x", ["Comment for ARG should follow the format: `# a <description>`"]),
        ("# is it\nARG a b\nFROM x", ["Comment for ARG should follow the format: `# <arg_key> <description>`"]),
        ("# is it\nFROM x AS b", ["Comment for FROM should follow the format: `# b <description>`"]),
        ("# is it\nFROM x", []),
        ("# is it\n\nARG a=1\nFROM x", []),
        ("# is it\n#\nARG a=1\nFROM x", []),
    ],
)
def test_descriptions(text: str, messages: list[str]) -> None:
    findings = found(f"# check=experimental=all\n#\n{text}")
    assert [message for rule, _, message in findings if rule == "InvalidDefinitionDescription"] == messages


def test_environments_of_images() -> None:
    text = "FROM alpine\nENV a=$first$c"
    assert found(text, {"environments": {0: {"first": "1"}}}) == [
        ("UndefinedVar", 2, "Usage of undefined variable '$c'")
    ]
    assert found(text, {"environments": {0: {"first": "1", "c": "2"}}}) == []


def test_shells_of_images_and_ignored_files() -> None:
    text = "FROM a\nCMD b\nCOPY c d"
    assert [rule for rule, _, _ in found(text)] == ["JSONArgsRecommended"]
    facts = {"with_shell": frozenset({0}), "ignore": Ignore.read("c")}
    assert [rule for rule, _, _ in found(text, facts)] == ["CopyIgnoredFile"]


def test_the_target_is_a_variable() -> None:
    text = "ARG TARGETSTAGE\nFROM --platform=$TARGETSTAGE a AS b"
    assert [rule for rule, _, _ in found(text, {"target": "linux/arm64"})] == []
