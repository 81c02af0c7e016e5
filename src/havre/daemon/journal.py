"""The daemon's own log on stderr, in dockerd's form: one line of key=value, or of JSON."""

import json
import logging
import sys
import time
from typing import Final

_LEVELS: Final = {"debug": 10, "info": 20, "warn": 30, "error": 40, "fatal": 50}
_NAMES: Final = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "fatal"}
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/@^+:")


class _Formatter(logging.Formatter):
    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line; a traceback is a field of it."""
        fields = {
            "time": _moment(record.created),
            "level": _NAMES.get(record.levelno, "info"),
            "msg": record.getMessage(),
        }
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        if self._json:
            return json.dumps(fields, ensure_ascii=False)
        return " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())


def open_journal(level: str, form: str) -> None:
    """Write the log of every room to stderr, from *level* on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(as_json=form == "json"))
    logging.basicConfig(handlers=[handler], force=True)
    set_level(level)


def set_level(level: str) -> None:
    """What is logged from now on."""
    logging.getLogger().setLevel(_LEVELS[level])
    logging.getLogger("asyncio").setLevel(max(_LEVELS[level], logging.WARNING))


def _moment(seconds: float) -> str:
    whole, fraction = divmod(seconds, 1)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int(fraction * 1e9):09d}Z"


def _quoted(text: str) -> str:
    return text if text and set(text) <= _PLAIN else json.dumps(text, ensure_ascii=False)
