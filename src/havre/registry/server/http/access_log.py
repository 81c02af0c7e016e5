"""The access log: one line a request, in Apache's combined form, with the time taken at its end."""

import logging
import time
from typing import Final

from aiohttp import web

LOGGER: Final = "havre.registry.access"
_log = logging.getLogger(LOGGER)


def log_request(request: web.BaseRequest, user: str, status: int, sent: int, seconds: float) -> None:
    """Tell of a request that ended; *status* 499 means that the client went first."""
    if not _log.isEnabledFor(logging.INFO):
        return
    moment = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    line = f"{request.method} {request.raw_path} HTTP/{request.version.major}.{request.version.minor}"
    _log.info(
        '%s - %s [%s] "%s" %d %d "-" "%s" %.6f',
        request.remote or "-",
        clean(user) or "-",
        moment,
        clean(line),
        status,
        sent,
        clean(request.headers.get("User-Agent", "-")),
        seconds,
    )


def clean(text: str) -> str:
    """*text* with what could forge or break a line escaped, and cut to a length that fits one."""
    shown = text[:1024].replace("\\", "\\\\").replace('"', '\\"')
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in shown)
