"""`.dockerignore`: which paths of a context stay behind. The last line that speaks of a path decides; `!` takes back.

A path is ignored as well where a folder above it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self

from havre.build.dockerfile.errors import DockerfileError
from havre.build.dockerfile.globs import Glob, clean, deep_glob, has_wildcards
from havre.build.dockerfile.spaces import strip

IGNORE_FILE: Final = ".dockerignore"
_FEW: Final = 200


@dataclass(frozen=True, slots=True)
class Rule:
    """One line; *keeps* for those that begin with `!`."""

    glob: Glob
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a path is ignored, and which rules, by their number, matched it or a folder above it."""

    ignored: bool
    matched: frozenset[int] = frozenset()


_KEPT: Final = Verdict(ignored=False)


@dataclass(frozen=True, slots=True)
class Ignore:
    """Rules in their order."""

    rules: tuple[Rule, ...] = ()
    _index: "_Index" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", _Index(self.rules))

    @classmethod
    def read(cls, text: str) -> Self:
        """The rules of a .dockerignore. Raises DockerfileError for a pattern that is none."""
        return cls.of(_lines(text))

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Self:
        """The rules of *patterns*: lines of .dockerignore, values of `--exclude`. Raises DockerfileError."""
        return cls(tuple(_rule(stripped) for pattern in patterns if (stripped := strip(pattern))))

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
        above = above or _KEPT
        candidates = self._index.candidates(path)
        if not candidates:
            return above
        matched: set[int] = set(above.matched)
        ignored = False
        for number in sorted(matched.union(candidates)):
            rule = self.rules[number]
            # As Docker does: a rule that would change nothing is not looked at, and does not match.
            if number not in matched and (rule.keeps is not ignored or not rule.glob.matches(path)):
                continue
            matched.add(number)
            ignored = not rule.keeps
        return Verdict(ignored, frozenset(matched))

    def may_keep_below(self, folder: str) -> bool:
        """Whether a line with `!` could speak of something below an ignored *folder*; if not, it need not be read."""
        return any(rule.keeps and _reaches(rule.glob.pattern, folder) for rule in self.rules)


class _Index:
    """Which rules a path has to be tried with: those of its first name, and those that begin with a wildcard."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._by_name: dict[str, list[int]] = {}
        self._wild: list[int] = []
        expressions: list[str] = []
        for number, rule in enumerate(rules):
            name = rule.glob.pattern.split("/", 1)[0]
            if not has_wildcards(name) and "\\" not in name:
                self._by_name.setdefault(name, []).append(number)
                continue
            self._wild.append(number)
            expressions += [rule.glob.expression] if rule.glob.expression is not None else []
        few = 0 < len(expressions) <= _FEW and len(expressions) == len(self._wild)
        self._any_wild = re.compile("|".join(expressions), re.DOTALL) if few else None

    def candidates(self, path: str) -> list[int]:
        named = self._by_name.get(path.split("/", 1)[0], [])
        if self._any_wild is not None and self._any_wild.fullmatch(path) is None:
            return named
        return [*named, *self._wild]


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


def _reaches(pattern: str, folder: str) -> bool:
    for wanted, name in zip(pattern.split("/"), folder.split("/"), strict=False):
        if has_wildcards(wanted) or "\\" in wanted:
            return True
        if wanted != name:
            return False
    return True
