"""`WWW-Authenticate` challenges, read (RFC 9110, section 11.6.1; distribution's token specification)."""

import re
from dataclasses import dataclass
from typing import Final

_LIMIT: Final = 4096
_FIELD: Final = re.compile(r"([A-Za-z_]{1,32})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]+))")


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a registry asks for: *scheme* in lower case, its fields by name."""

    scheme: str
    fields: dict[str, str]


def parse_challenge(header: str) -> Challenge:
    """The first challenge of *header*; an empty scheme when there is none."""
    scheme, _, rest = header[:_LIMIT].strip().partition(" ")
    fields = {
        name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
        for name, quoted, plain in _FIELD.findall(rest)
    }
    return Challenge(scheme.lower(), fields)
