"""Content negotiation: which stored document a client that says `Accept` can take (RFC 9110, section 12.5.1)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_MAX_TYPES: Final = 100


@dataclass(frozen=True, slots=True)
class Accepted:
    """The media types that a client takes; *anything* when it did not say, or said so."""

    types: frozenset[str]
    anything: bool

    def takes(self, media_type: str) -> bool:
        """Whether a document of *media_type* may be sent."""
        return self.anything or media_type in self.types


def parse_accept(headers: Iterable[str]) -> Accepted:
    """All `Accept` headers of a request together."""
    types: set[str] = set()
    for header in headers:
        for item in header.split(",")[:_MAX_TYPES]:
            name, *parameters = (part.strip().lower() for part in item.split(";"))
            if name and not any(_is_zero(parameter) for parameter in parameters):
                types.add(name)
    anything = not types or "*/*" in types or "application/*" in types
    return Accepted(frozenset(types), anything)


def matches_etag(header: str, etag: str) -> bool:
    """Whether `If-None-Match: header` names *etag*, compared weakly (RFC 9110, section 13.1.2)."""
    if header.strip() == "*":
        return True
    return any(item.strip().removeprefix("W/").strip('"') == etag for item in header.split(","))


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0") in ("", "0.", "0") and value.strip() != ""
