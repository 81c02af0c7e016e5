from __future__ import annotations

import pytest

from havre.build.dockerfile.check_stages import StageFacts, check_stage
from havre.build.dockerfile.ignore import Ignore
from havre.build.dockerfile.program import read_text
from havre.build.dockerfile.scope import GlobalArgs, Scope

BEGIN = StageFacts(Scope(env={"PATH": "/bin"}), knows_env=True)


def found(text: str, begin: StageFacts = BEGIN, ignore: str = "") -> list[tuple[str, int, str]]:
    findings, _ = check_stage(read_text(f"FROM x\n{text}").stages[0], begin, Ignore.read(ignore))
    return [(one.rule, one.location.first, one.message) for one in findings]


@pytest.mark.parametrize(
    "text",
    [
        "ENV a=$PATH",
        "ARG a\nENV b=$a",
        "ENV a=1\nENV b=$a",
        "ARG a=1 b=$a",
        "CMD $a",
        "RUN $a",
        "ENV a='$b'",
        "ENV public_key=1 key_version=2 monkey=3",
        'SHELL ["a"]\nCMD b',
        "WORKDIR /a\nWORKDIR b",
        'CMD ["a"]\nENTRYPOINT ["b"]\nHEALTHCHECK CMD a',
        "EXPOSE 80/tcp 90",
        "ENV a=${b?no}",
    ],
)
def test_nothing_to_say(text: str) -> None:
    text = text.replace("CMD $a", 'SHELL ["s"]\nCMD $a')
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "rule", "line", "message"),
    [
        ("ENV a=$b", "UndefinedVar", 2, "Usage of undefined variable '$b'"),
        ("ENV a=$PTH", "UndefinedVar", 2, "Usage of undefined variable '$PTH' (did you mean $PATH?)"),
        ("ARG a=$b", "UndefinedVar", 2, "Usage of undefined variable '$b'"),
        ("COPY a $b", "UndefinedVar", 2, "Usage of undefined variable '$b'"),
        ("RUN --mount=target=$a b", "UndefinedVar", 2, "Usage of undefined variable '$a'"),
        (
            "ENV a b",
            "LegacyKeyValueFormat",
            2,
            '"ENV key=value" should be used instead of legacy "ENV key value" format',
        ),
        (
            "label a b",
            "LegacyKeyValueFormat",
            2,
            '"label key=value" should be used instead of legacy "label key value" format',
        ),
        (
            "ENV a=1 DB_PASSWORD=2",
            "SecretsUsedInArgOrEnv",
            2,
            'Do not use ARG or ENV instructions for sensitive data (ENV "DB_PASSWORD")',
        ),
        (
            "ARG ApiKey",
            "SecretsUsedInArgOrEnv",
            2,
            'Do not use ARG or ENV instructions for sensitive data (ARG "ApiKey")',
        ),
        (
            "WORKDIR a\nWORKDIR b",
            "WorkdirRelativePath",
            2,
            'Relative workdir "a" can have unexpected results if the base image changes',
        ),
        (
            "CMD a",
            "JSONArgsRecommended",
            2,
            "JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
        ),
        (
            'CMD ["a"]\nUSER b\nCMD ["c"]',
            "MultipleInstructionsDisallowed",
            2,
            "Multiple CMD instructions should not be used in the same stage because only the last one will be used",
        ),
        (
            "EXPOSE 80/TCP",
            "ExposeProtoCasing",
            2,
            "Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
        ),
        (
            "EXPOSE 80:90",
            "ExposeInvalidFormat",
            2,
            "EXPOSE instruction should not define an IP address or host-port mapping, found '80:90'",
        ),
    ],
)
def test_findings(text: str, rule: str, line: int, message: str) -> None:
    assert found(text) == [(rule, line, message)]


def test_given_args_need_no_default() -> None:
    begin = StageFacts(Scope(env={}, given={"a": "1"}, global_args=GlobalArgs({})), knows_env=True)
    assert found("ARG a=$b\nENV c=$a", begin) == []


def test_an_unknown_environment_is_not_searched() -> None:
    assert found("ENV a=$b", StageFacts(Scope(env={}), knows_env=False)) == []


def test_an_image_may_have_a_shell() -> None:
    assert found("CMD a", StageFacts(Scope(env={}), knows_env=True, has_shell=True)) == []


@pytest.mark.parametrize(
    ("text", "ignore", "names"),
    [
        ("COPY a ./b /c", "a\nb", ['Attempting to Copy file "a"', 'Attempting to Copy file "b"']),
        ("ADD a/../b c", "b", ['Attempting to Add file "b"']),
        ("COPY . /", "*", ['Attempting to Copy file "."']),
        ("COPY /a /", "a", ['Attempting to Copy file "/a"']),
        ("COPY . /", ".*", []),
        ("COPY a b", "a\n!c", []),
        ("COPY --from=x a b", "a", []),
        ("ADD http://x/a b", "**", []),
        ("COPY a b", "c", []),
    ],
)
def test_what_the_context_does_not_have(text: str, ignore: str, names: list[str]) -> None:
    expected = [("CopyIgnoredFile", 2, f"{name} that is excluded by .dockerignore") for name in names]
    assert found(text, ignore=ignore) == expected


def test_a_stage_goes_on_where_another_ended() -> None:
    text = 'ENV a=1\nWORKDIR /w\nSHELL ["s"]\nARG b'
    _, end = check_stage(read_text(f"FROM x\n{text}").stages[0], BEGIN, Ignore())
    assert found("WORKDIR v\nCMD c\nENV d=$a$b", end) == []
