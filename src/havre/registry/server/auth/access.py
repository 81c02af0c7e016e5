"""Rights: what may be done in a repository, by whom; rules are tried in their order and the first that fits counts."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final


class Action(enum.Enum):
    """What is done in a repository, in the words of token scopes."""

    PULL = "pull"
    PUSH = "push"
    DELETE = "delete"


ALL: Final = frozenset(Action)
NOTHING: Final[frozenset[Action]] = frozenset()
CATALOG: Final = "*"
"""What the catalogue's own scope, `registry:catalog:*`, asks for."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What anonymous clients and named users may do in the repositories whose names fit *pattern*.

    In *pattern*, `*` stands for any characters, slashes too, and `{user}` for the name of the user who asks. In
    *users*, `*` stands for every user who has no line of their own.
    """

    pattern: str
    anonymous: frozenset[Action] = NOTHING
    users: Mapping[str, frozenset[Action]] = field(default_factory=dict)

    def fits(self, name: str, user: str) -> bool:
        """Whether the rule is about the repository *name*, for *user* (empty: anonymous)."""
        if "{user}" in self.pattern and not user:
            return False
        return fnmatchcase(name, self.pattern.replace("{user}", _literal(user)))

    def grants(self, user: str) -> frozenset[Action]:
        """What *user* may do."""
        if not user:
            return self.anonymous
        return self.users.get(user, self.users.get("*", NOTHING)) | self.anonymous


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a registry; what none of them is about, nobody may touch."""

    rules: Sequence[Rule]

    def allowed(self, name: str, user: str) -> frozenset[Action]:
        """What *user* may do in the repository *name*."""
        found = next((rule for rule in self.rules if rule.fits(name, user)), None)
        return found.grants(user) if found is not None else NOTHING

    def any_anonymous(self) -> bool:
        """Whether there is anything that needs no credentials."""
        return any(rule.anonymous for rule in self.rules)

    def anonymous_push(self) -> bool:
        """Whether there is anything that everybody may change."""
        return any(rule.anonymous - {Action.PULL} for rule in self.rules)


OPEN: Final = Rules((Rule("*", anonymous=ALL),))
"""Everything to everybody: for a registry that only its own host reaches."""
MEMBERS: Final = Rules((Rule("*", users={"*": ALL}),))
"""Everything to every user."""


def _literal(text: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
