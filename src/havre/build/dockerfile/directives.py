"""Parser directives: `# name=value` in the first lines of a file, each at most once."""

import json
import re
from typing import Final

from havre.build.dockerfile.errors import Location, ParseError
from havre.build.dockerfile.nodes import Directive
from havre.build.dockerfile.spaces import strip_left

_KNOWN: Final = frozenset({"syntax", "escape", "check"})
_FORM: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.*)", re.ASCII)
_BLANK: Final = "\t\n\f\r "
_ESCAPES: Final = frozenset("\\`")


class Directives:
    """Reads lines until the first one that is no directive; from then on it finds nothing more."""

    def __init__(self, prefix: str = "#") -> None:
        self._prefix = prefix
        self._open = True
        self.found: list[Directive] = []

    def read(self, line: str, number: int) -> Directive | None:
        """What the line *number* says, white space before it already taken away. Raises ParseError."""
        if not self._open:
            return None
        directive = _directive(line, self._prefix, Location.line(number))
        if directive is None:
            self._open = False
            return None
        if any(known.name == directive.name for known in self.found):
            raise ParseError(f"only one {directive.name} parser directive can be used", directive.location)
        if directive.name == "escape" and directive.value not in _ESCAPES:
            raise ParseError(f"invalid escape token '{directive.value}' does not match ` or \\", directive.location)
        self.found.append(directive)
        return directive


def syntax_of(text: str) -> str | None:
    """The image that the file wants as its reader: `# syntax=`, `// syntax=` or a JSON object's `syntax`; else None."""
    lines = text.split("\n")
    if lines[0].startswith("#!"):
        lines = lines[1:]
    for prefix in ("#", "//"):
        reader = Directives(prefix)
        for number, line in enumerate(lines, 1):
            try:
                directive = reader.read(line.strip(_BLANK), number)
            except ParseError:
                break
            if directive is None:
                break
            if directive.name == "syntax":
                return directive.value.partition(" ")[0]
    return _json_syntax("\n".join(lines))


def _json_syntax(text: str) -> str | None:
    if not text.lstrip(_BLANK).startswith("{"):
        return None
    try:
        value = json.loads(text)["syntax"]
    except (ValueError, KeyError, RecursionError):
        return None
    return value if isinstance(value, str) else None


def _directive(line: str, prefix: str, location: Location) -> Directive | None:
    if not line.startswith(prefix):
        return None
    found = _FORM.fullmatch(strip_left(line.removeprefix(prefix)))
    if found is None:
        return None
    name, value = found[1].lower(), found[2].rstrip(_BLANK)
    return Directive(name, value, location) if name in _KNOWN and value else None
