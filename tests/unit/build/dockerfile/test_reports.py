from __future__ import annotations

import pytest

from havre.build.dockerfile.check_rules import Finding, finding
from havre.build.dockerfile.errors import Location
from havre.build.dockerfile.reports import check_summary, findings_text, warnings_text

ONE = finding("MaintainerDeprecated", Location(2, 2))
TWO = finding("StageNameCasing", Location(1, 1), "B")


def test_findings_are_shown_with_their_lines() -> None:
    assert findings_text([TWO, ONE], "FROM a AS B\nMAINTAINER c", "x") == (
        "\nWARNING: StageNameCasing\nStage name 'B' should be lowercase\n"
        "x:1\n--------------------\n   1 | >>> FROM a AS B\n   2 |     MAINTAINER c\n--------------------\n"
        "\nWARNING: MaintainerDeprecated\nMaintainer instruction is deprecated in favor of using label\n"
        "x:2\n--------------------\n   1 |     FROM a AS B\n   2 | >>> MAINTAINER c\n--------------------\n"
    )
    assert findings_text([], "FROM a") == ""


@pytest.mark.parametrize(
    ("findings", "line"),
    [
        ([], "Check complete, no warnings found."),
        ([ONE], "Check complete, 1 warning has been found!"),
        ([ONE, TWO], "Check complete, 2 warnings have been found!"),
    ],
)
def test_the_last_line(findings: list[Finding], line: str) -> None:
    assert check_summary(findings) == line


def test_below_a_build() -> None:
    assert warnings_text([]) == ""
    assert warnings_text([TWO]) == (
        " 1 warning found:\n - StageNameCasing: Stage name 'B' should be lowercase (line 1)\n"
    )
    assert warnings_text([TWO, ONE]).startswith(" 2 warnings found:\n - StageNameCasing")
