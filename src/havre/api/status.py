"""The one place where the meaning of an error becomes an HTTP status."""

import errno
from typing import Final

from havre.base.errors import (
    Conflict,
    Forbidden,
    HavreError,
    InternalError,
    InvalidInput,
    NotFound,
    NotModified,
    NotSupported,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)


class MalformedRequest(InvalidInput):
    """The bytes are no request of HTTP/1.1 as we read it; the connection ends with the answer."""


class TargetTooLong(MalformedRequest):
    """The request line is longer than any client needs."""


class HeadersTooLarge(MalformedRequest):
    """The header fields are more, or longer, than any client needs."""


class BodyTooLarge(InvalidInput):
    """A JSON document over its limit."""


STATUS: Final[dict[type[Exception], int]] = {
    InvalidInput: 400,
    TargetTooLong: 414,
    HeadersTooLarge: 431,
    BodyTooLarge: 413,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    NotModified: 304,
    NotSupported: 501,
    Unavailable: 503,
    ResourceExhausted: 507,
    InternalError: 500,
}

PHRASES: Final[dict[int, str]] = {
    101: "UPGRADED",
    200: "OK",
    201: "Created",
    204: "No Content",
    301: "Moved Permanently",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    507: "Insufficient Storage",
}

_NO_ROOM: Final = frozenset((errno.ENOSPC, errno.EDQUOT))


def status_of(error: Exception) -> int:
    """The status that tells what *error* means."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return 507
    return 500


def message_of(error: Exception) -> str:
    """What the caller may read of *error*: never more than a kind for what nobody foresaw."""
    if isinstance(error, HavreError):
        return error.message
    if isinstance(error, OSError) and error.strerror:
        return str(error)
    return f"something inside the engine failed ({type(error).__name__}); its log tells more"
