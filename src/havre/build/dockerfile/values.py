"""Small values in flags, in the grammars that Docker reads them with."""

import re
from typing import Final

from havre.build.dockerfile.errors import DockerfileError

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+) ?(?:([kmgtp])(?:i?b)?|b)?", re.ASCII | re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_MAX_DIGITS: Final = 20
_BARE: Final = 'bare " in non-quoted-field'
_OPEN: Final = 'extraneous or missing " in quoted-field'


def parse_bool(text: str) -> bool | None:
    """None for what is no truth value."""
    return True if text in _TRUE else False if text in _FALSE else None


def parse_size(text: str) -> int | None:
    """Bytes of `512m`, `1.5GiB`, `100`, units of 1024; None for what is no size."""
    found = _SIZE.fullmatch(text)
    if found is None or len(found[1]) > _MAX_DIGITS:
        return None
    return int(float(found[1]) * 1024.0 ** _POWERS[(found[2] or "").lower()])


def parse_number(text: str, base: int, bits: int = 32) -> int | None:
    """An unsigned number of at most *bits* bits; None for what is none."""
    digits = "01234567" if base == 8 else "0123456789"
    if not text or len(text) > _MAX_DIGITS or not set(text) <= set(digits):
        return None
    number = int(text, base)
    return number if number < 1 << bits else None


def csv_fields(text: str) -> list[str]:
    """The fields of one line of comma-separated values (RFC 4180). Raises DockerfileError."""
    if not text:
        raise DockerfileError("EOF")
    fields: list[str] = []
    position = 0
    while position <= len(text):
        field, position = _quoted_field(text, position) if text.startswith('"', position) else _field(text, position)
        fields.append(field)
    return fields


def _field(text: str, position: int) -> tuple[str, int]:
    end = text.find(",", position)
    end = len(text) if end < 0 else end
    field = text[position:end]
    if '"' in field:
        raise DockerfileError(f"parse error on line 1, column {position + field.index(chr(34)) + 1}: {_BARE}")
    return field, end + 1


def _quoted_field(text: str, position: int) -> tuple[str, int]:
    parts: list[str] = []
    position += 1
    while True:
        end = text.find('"', position)
        if end < 0:
            raise DockerfileError(f"parse error on line 1, column {len(text) + 1}: {_OPEN}")
        parts.append(text[position:end])
        position = end + 1
        if text.startswith('"', position):
            parts.append('"')
            position += 1
        elif position == len(text) or text[position] == ",":
            return "".join(parts), position + 1
        else:
            raise DockerfileError(f"parse error on line 1, column {position}: {_OPEN}")
