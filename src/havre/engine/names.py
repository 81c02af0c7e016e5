"""Names of containers: their grammar, and fresh ones for those that get none."""

import re
import secrets
from collections.abc import Container
from typing import Final

from havre.base.errors import InvalidInput
from havre.engine.words import ADJECTIVES, SURNAMES

_GRAMMAR: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z", re.ASCII)
_MAX_LENGTH: Final = 255
_TRIES: Final = 6


def parse_name(given: str) -> str:
    """The name that *given*, with or without the leading slash, asks for. Raises InvalidInput."""
    name = given.removeprefix("/")
    if len(name) > _MAX_LENGTH or not _GRAMMAR.match(name):
        raise InvalidInput(f"Invalid container name ({given[:256]}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    return name


def fresh_name(taken: Container[str], identifier: str) -> str:
    """An adjective and a surname that are not in *taken*; the short *identifier* when luck runs out."""
    for attempt in range(_TRIES):
        name = f"{secrets.choice(ADJECTIVES)}_{secrets.choice(SURNAMES)}"
        if attempt:
            name += str(secrets.randbelow(10))
        if name not in taken:
            return name
    return identifier[:12]
