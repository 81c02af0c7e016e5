"""Looking at a Dockerfile instead of building it (`--call`): its checks, its targets, what a target takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from havre.base.errors import InvalidInput
from havre.build.dockerfile.check_policy import Policy
from havre.build.dockerfile.check_rules import Finding
from havre.build.dockerfile.checks import Facts, check
from havre.build.dockerfile.ignore import Ignore
from havre.build.dockerfile.instructions import Program
from havre.build.dockerfile.nodes import Document
from havre.build.dockerfile.origins import find_target
from havre.build.dockerfile.outline import Parameter, outline, targets
from havre.build.dockerfile.reports import check_summary, findings_text
from havre.build.dockerfile.scope import Platforms, global_args
from havre.build.model import Report

_WISHED = "BUILDKIT_DOCKERFILE_CHECK"


@dataclass(frozen=True, slots=True)
class Source:
    """A Dockerfile that was read: its text, what it says, and what the client gives to it."""

    text: str
    name: str
    document: Document
    program: Program
    platforms: Platforms
    args: dict[str, str]
    target: str
    ignore: Ignore

    @property
    def policy(self) -> Policy:
        """Which checks count."""
        return Policy.of(self.document, self.args.get(_WISHED))

    def findings(self, environments: dict[int, dict[str, str]] | None = None) -> list[Finding]:
        """What the build checks find; *environments* are those of base images, as far as they are known."""
        facts = Facts(
            platforms=self.platforms,
            given=self.args,
            target=self.target,
            environments=environments or {},
            ignore=self.ignore,
            policy=self.policy,
        )
        return check(self.document, self.program, facts)


def look(source: Source, call: str) -> Report:
    """Answer *call*: `check` (also `lint`), `targets` or `outline`. Raises InvalidInput."""
    match call:
        case "check" | "lint":
            found = source.findings()
            text = findings_text(found, source.text, source.name)
            return Report(f"{text}{check_summary(found)}\n", len(found))
        case "targets":
            return Report(
                _table(("TARGET", "DESCRIPTION"), [(one.label, one.description) for one in targets(source.program)])
            )
        case "outline":
            return Report(_outline(source))
        case _:
            raise InvalidInput(f"unknown build call {call[:64]}: use build, check, outline or targets")


def _outline(source: Source) -> str:
    target = find_target(source.program, source.target)
    known = global_args(source.program, source.args, source.platforms.args(target.name, source.args))
    found = outline(source.program, target, source.args, known)
    parts = [f"TARGET:\t{found.target.name or 'default'}\n"]
    if found.args:
        rows = [(one.name, one.value, one.description) for one in found.args]
        parts.append(_table(("BUILD ARG", "VALUE", "DESCRIPTION"), rows))
    for title, parameters in (("SECRET", found.secrets), ("SSH", found.agents)):
        if parameters:
            parts.append(_table((title, "REQUIRED"), [_required(one) for one in parameters]))
    return "\n".join(parts)


def _required(parameter: Parameter) -> tuple[str, str]:
    return parameter.name, "true" if parameter.required else ""


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]
    return "\n".join(lines) + "\n"
