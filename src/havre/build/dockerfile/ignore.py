"""`.dockerignore`: which paths of a context stay behind. The last line that speaks of a path decides; `!` takes back.

A path is ignored as well where a folder above it is.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.globs import Glob, clean, deep_glob, has_wildcards
from havre.build.dockerfile.spaces import strip

IGNORE_FILE = ".dockerignore"


def _always(_path: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """One line; *keeps* for those that begin with `!`."""

    glob: Glob
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a path is ignored, and which rules matched it or a folder above it."""

    ignored: bool
    matched: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Ignore:
    """Rules in their order; *may_match* is quick: where it says no, no rule matches a path."""

    rules: tuple[Rule, ...] = ()
    may_match: Callable[[str], bool] = field(default=_always, compare=False)

    @classmethod
    def read(cls, text: str) -> Self:
        """The rules of a .dockerignore. Raises DockerfileError for a pattern that is none."""
        return cls.of(_lines(text))

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Self:
        """The rules of *patterns*: lines of .dockerignore, values of `--exclude`. Raises DockerfileError."""
        rules = tuple(_rule(stripped) for pattern in patterns if (stripped := strip(pattern)))
        return cls(rules, _may_match(rules))

    @property
    def has_exceptions(self) -> bool:
        """Whether any line takes back what others ignore."""
        return any(rule.keeps for rule in self.rules)

    def ignores(self, path: str) -> bool:
        """Whether *path*, relative and with slashes, is ignored."""
        names = clean(path).split("/")
        verdict: Verdict | None = None
        for count in range(1, len(names) + 1):
            verdict = self.verdict("/".join(names[:count]), verdict)
        return verdict is not None and verdict.ignored

    def verdict(self, path: str, above: Verdict | None) -> Verdict:
        """For those who walk down a tree: what holds for *path*, *above* being what holds for its folder."""
        if not self.may_match(path):
            return above or Verdict(ignored=False, matched=(False,) * len(self.rules))
        matched: list[bool] = []
        ignored = False
        for index, rule in enumerate(self.rules):
            found = above is not None and above.matched[index]
            if not found and rule.keeps is ignored:  # as Docker does: what would change nothing is not looked at
                found = rule.glob.matches(path)
            matched.append(found)
            if found:
                ignored = not rule.keeps
        return Verdict(ignored, tuple(matched))

    def may_keep_below(self, folder: str) -> bool:
        """Whether a line with `!` could speak of something below an ignored *folder*; if not, it need not be read."""
        return any(rule.keeps and _reaches(rule.glob.pattern, folder) for rule in self.rules)

    def without(self, paths: Sequence[str]) -> "Ignore":
        """The same rules, but *paths* are kept: the Dockerfile and the ignore file, which the builder itself reads."""
        kept = [Rule(Glob(path, path.__eq__), keeps=True) for path in map(clean, paths)]
        return Ignore((*self.rules, *kept), _always)


def ignore_files(dockerfile: str) -> tuple[str, str]:
    """Where the rules for *dockerfile* are looked for; the first file that exists counts."""
    return dockerfile + IGNORE_FILE, IGNORE_FILE


def _lines(text: str) -> Iterable[str]:
    for line in text.removeprefix("\ufeff").split("\n"):
        pattern = strip(line)
        if not pattern or line.startswith("#"):
            continue
        keeps = pattern.startswith("!")
        pattern = strip(pattern.removeprefix("!"))
        if pattern:
            pattern = clean(pattern)
            pattern = pattern[1:] if len(pattern) > 1 and pattern.startswith("/") else pattern
        yield f"!{pattern}" if keeps else pattern


def _rule(pattern: str) -> Rule:
    if pattern == "!":
        raise DockerfileError('illegal exclusion pattern: "!"')
    pattern = clean(pattern)
    keeps = pattern.startswith("!")
    pattern = pattern[1:] if keeps else pattern
    return Rule(deep_glob(pattern.removeprefix("/") or pattern), keeps)


def _may_match(rules: tuple[Rule, ...]) -> Callable[[str], bool]:
    expressions = [rule.glob.expression for rule in rules]
    known = [expression for expression in expressions if expression is not None]
    if len(known) < len(expressions):
        return _always
    match = re.compile("|".join(known), re.DOTALL).fullmatch
    return lambda path: match(path) is not None


def _reaches(pattern: str, folder: str) -> bool:
    for wanted, name in zip(pattern.split("/"), folder.split("/"), strict=False):
        if has_wildcards(wanted) or "\\" in wanted:
            return True
        if wanted != name:
            return False
    return True
