"""Files of variables: `.env` and `env_file`.

`NAME=value` a line; `#` begins a comment, also behind a value and a space; single quotes keep everything, double quotes
know escapes; variables are replaced but in single quotes; quoted values may span lines. `NAME` alone has no value.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping

from havre.compose.document.nodes import Place, fault
from havre.compose.document.templates import TemplateError, parse, substitute

_NAME = re.compile(r"[ \t]*(?:export[ \t]+)?([^\s=:#'\"$]+)[ \t]*([=:]?)[ \t]*", re.ASCII)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "'": "'", "$": "$$", "a": "\a", "b": "\b"}


def parse_dotenv(text: str, file: str, outer: Mapping[str, str]) -> dict[str, str | None]:
    """The variables of one file; values may use those of *outer* and earlier ones. Raises InvalidFile."""
    found: dict[str, str | None] = {}
    given: dict[str, str] = {}
    values = ChainMap(dict(outer), given)
    reader = _Reader(text.removeprefix("\ufeff").replace("\r\n", "\n"), file)
    while reader.skip_to_line():
        place = reader.place
        name, value, expands = reader.line()
        if value is not None and expands:
            try:
                value = substitute(parse(value), values, set())
            except TemplateError as error:
                raise fault(place, (), str(error)) from None
        found[name] = value
        if value is not None:
            given[name] = value
    return found


def parse_raw(text: str, file: str) -> dict[str, str | None]:
    """The same with everything behind the first `=` taken as it is. Raises InvalidFile."""
    found: dict[str, str | None] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, sign, value = line.partition("=")
        if not name.strip() or any(c.isspace() for c in name.strip()):
            raise fault(Place(file, number), (), f"invalid variable {line!r}")
        found[name.strip()] = value if sign else None
    return found


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self._text, self._file, self._at = text, file, 0

    @property
    def place(self) -> Place:
        return Place(self._file, self._text.count("\n", 0, self._at) + 1)

    def skip_to_line(self) -> bool:
        """Pass empty lines and comments; whether a variable follows."""
        while self._at < len(self._text):
            end = self._end_of_line()
            line = self._text[self._at : end].strip()
            if line and not line.startswith("#"):
                return True
            self._at = end + 1
        return False

    def line(self) -> tuple[str, str | None, bool]:
        """A name, its value, and whether variables in it are replaced."""
        found = _NAME.match(self._text, self._at)
        if found is None or (not found.group(2) and self._rest_of_line(found.end())):
            line = self._text[self._at : self._end_of_line()]
            raise fault(self.place, (), f"invalid variable {line.strip()!r}: NAME=value expected")
        name = found.group(1)
        if not found.group(2):
            self._at = self._end_of_line() + 1
            return name, None, False
        start = found.end()
        self._at = start
        quote = self._text[start : start + 1]
        if quote in ("'", '"') and quote:
            return name, self._quoted(quote), quote == '"'
        end = self._end_of_line()
        value = self._text[start:end]
        value = re.split(r"(?:^|[ \t])#", value, maxsplit=1)[0].rstrip()
        self._at = end + 1
        return name, value, True

    def _quoted(self, quote: str) -> str:
        place, at = self.place, self._at + 1
        made = ""
        while at < len(self._text) and self._text[at] != quote:
            if self._text[at] == "\\" and quote == '"' and at + 1 < len(self._text):
                escaped = self._text[at + 1]
                made, at = made + _ESCAPES.get(escaped, "\\" + escaped), at + 2
            else:
                made, at = made + self._text[at], at + 1
        if at >= len(self._text):
            raise fault(place, (), "a quote is not closed")
        self._at = at + 1
        if rest := self._rest_of_line(self._at):
            raise fault(place, (), f"unexpected {rest!r} behind a quoted value")
        self._at = self._end_of_line() + 1
        return made

    def _end_of_line(self) -> int:
        end = self._text.find("\n", self._at)
        return len(self._text) if end < 0 else end

    def _rest_of_line(self, start: int) -> str:
        end = self._text.find("\n", start)
        rest = self._text[start : len(self._text) if end < 0 else end].strip()
        return "" if rest.startswith("#") else rest
