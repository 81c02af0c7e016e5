"""The names that log lines go by: a small part of Go's templates, the fields that Docker offers and no functions."""

import re
from typing import Final

from havre.base.errors import InvalidInput

FIELDS: Final = ("ID", "FullID", "Name", "ImageID", "ImageFullID", "ImageName", "DaemonName")
"""What may stand in `{{.…}}`."""

_FIELD: Final = re.compile(r"\{\{\s*\.(\w{1,64})\s*\}\}", re.ASCII)


def check_tag(text: str) -> None:
    """Raises InvalidInput for a tag that `expanded` would refuse."""
    expanded(text, dict.fromkeys(FIELDS, ""))


def expanded(text: str, fields: dict[str, str]) -> str:
    """*text* with the values of its *fields*. Raises InvalidInput for others, and for what is more than a field."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in fields:
            where = f"template: log-tag:1:{match.start(1) - 1}"
            raise InvalidInput(
                f'{where}: executing "log-tag" at <.{name}>: can\'t evaluate field {name} in type *logger.Info'
            )
        return fields[name]

    if "{{" in _FIELD.sub("", text):
        raise InvalidInput(f"a log tag holds {', '.join('{{.' + name + '}}' for name in FIELDS)} only: {text[:128]}")
    return _FIELD.sub(value, text)
