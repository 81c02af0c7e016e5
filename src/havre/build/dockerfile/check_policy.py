"""Which build checks count: `# check=skip=A,B;error=true`, for the whole file or above one instruction."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from havre.build.dockerfile.check_rules import RULES, Finding
from havre.build.dockerfile.directives import Directives
from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.nodes import Document
from havre.build.dockerfile.quoting import quoted
from havre.build.dockerfile.spaces import strip
from havre.build.dockerfile.values import parse_bool

_ALL = "all"


@dataclass(frozen=True, slots=True)
class Policy:
    """Checks to skip, experimental checks to run, and whether a finding ends the build; `all` stands for all."""

    skip: frozenset[str] = frozenset()
    experimental: frozenset[str] = frozenset()
    error: bool = False

    @classmethod
    def read(cls, text: str) -> Self:
        """`skip=A,B;error=true;experimental=C`. Raises DockerfileError."""
        policy = cls()
        for option in strip(text).split(";", 2) if strip(text) else ():
            name, equals, value = option.partition("=")
            if not equals:
                raise DockerfileError(f"failed to parse check options: invalid check option {quoted(option)}")
            policy = policy._with(strip(name), strip(value), option)
        return policy

    @classmethod
    def of(cls, document: Document, wished: str | None = None) -> Self:
        """What *document* says at its top, or what the build says instead (BUILDKIT_DOCKERFILE_CHECK)."""
        return cls.read(wished if wished is not None else document.directive("check") or "")

    def above(self, comments: Iterable[str]) -> "Policy":
        """The policy for an instruction with these comments above it; what cannot be read counts for nothing."""
        for comment in comments:
            directive = Directives("").read(comment, 1) if "=" in comment else None
            if directive is None or directive.name != "check":
                continue
            try:
                local = Policy.read(directive.value.partition(" ")[0])
            except DockerfileError:
                return self
            return Policy(self.skip | local.skip, self.experimental | local.experimental, self.error)
        return self

    def lets(self, rule: str) -> bool:
        """Whether a finding of *rule* counts."""
        if RULES[rule].experimental:
            return bool(self.experimental & {_ALL, rule})
        return not self.skip & {_ALL, rule}

    def verdict(self, findings: Iterable[Finding]) -> DockerfileError | None:
        """The error that ends the build, if findings are errors and there are any."""
        names = sorted({finding.rule for finding in findings})
        if not self.error or not names:
            return None
        return DockerfileError(f"lint violation found for rules: {', '.join(names)}")

    def _with(self, name: str, value: str, option: str) -> Self:
        if name == "error":
            error = parse_bool(value)
            if error is None:
                raise DockerfileError(f"failed to parse check options: failed to parse check option {quoted(option)}")
            return replace(self, error=error)
        names = frozenset(map(strip, value.split(",")))
        if name == "skip":
            return replace(self, skip=names)
        if name == "experimental":
            return replace(self, experimental=names)
        raise DockerfileError(f"failed to parse check options: invalid check option {quoted(name)}")
