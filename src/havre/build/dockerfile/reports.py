"""Findings of build checks as docker prints them: one by one with their lines, or in short behind a build."""

from collections.abc import Sequence

from havre.build.dockerfile.check_rules import Finding
from havre.build.dockerfile.errors import excerpt


def findings_text(findings: Sequence[Finding], text: str, name: str = "Dockerfile") -> str:
    """What `docker build --check` prints of *findings* in *text*, the file *name*."""
    blocks = [
        "\n".join(["", f"WARNING: {one.rule}", one.message, *excerpt(text, one.location, name=name), ""])
        for one in findings
    ]
    return "".join(blocks)


def check_summary(findings: Sequence[Finding]) -> str:
    """The last line of `docker build --check`."""
    if not findings:
        return "Check complete, no warnings found."
    have = "warning has" if len(findings) == 1 else "warnings have"
    return f"Check complete, {len(findings)} {have} been found!"


def warnings_text(findings: Sequence[Finding]) -> str:
    """What stands below a build that has findings; empty for one that has none."""
    if not findings:
        return ""
    warnings = "warning" if len(findings) == 1 else "warnings"
    return "".join([f" {len(findings)} {warnings} found:\n", *(f" - {one.short}\n" for one in findings)])
