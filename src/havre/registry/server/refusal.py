"""What the server refuses, in the words of the distribution specification ("Error Codes"), and their statuses."""

import enum
from collections.abc import Mapping
from typing import Final

import msgspec

from havre.base.errors import Forbidden, HavreError, InvalidInput, NotFound, ResourceExhausted, Unavailable
from havre.content.errors import DigestMismatch


class Code(enum.Enum):
    """An error code; the value is its usual HTTP status."""

    BLOB_UNKNOWN = ("BLOB_UNKNOWN", 404)
    BLOB_UPLOAD_INVALID = ("BLOB_UPLOAD_INVALID", 400)
    BLOB_UPLOAD_UNKNOWN = ("BLOB_UPLOAD_UNKNOWN", 404)
    DIGEST_INVALID = ("DIGEST_INVALID", 400)
    MANIFEST_BLOB_UNKNOWN = ("MANIFEST_BLOB_UNKNOWN", 404)
    MANIFEST_INVALID = ("MANIFEST_INVALID", 400)
    MANIFEST_UNKNOWN = ("MANIFEST_UNKNOWN", 404)
    NAME_INVALID = ("NAME_INVALID", 400)
    NAME_UNKNOWN = ("NAME_UNKNOWN", 404)
    SIZE_INVALID = ("SIZE_INVALID", 400)
    TAG_INVALID = ("TAG_INVALID", 400)
    RANGE_INVALID = ("RANGE_INVALID", 416)
    PAGINATION_NUMBER_INVALID = ("PAGINATION_NUMBER_INVALID", 400)
    UNAUTHORIZED = ("UNAUTHORIZED", 401)
    DENIED = ("DENIED", 403)
    UNSUPPORTED = ("UNSUPPORTED", 405)
    TOOMANYREQUESTS = ("TOOMANYREQUESTS", 429)
    UNAVAILABLE = ("UNAVAILABLE", 503)
    UNKNOWN = ("UNKNOWN", 500)


class Refusal(HavreError):
    """A request that ends with one of the codes; *headers* go with the answer, *status* is there for the exceptions."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        status: int = 0,
        detail: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status or code.value[1]
        self.detail = detail
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """The answer's JSON."""
        error = {"code": self.code.value[0], "message": self.message, "detail": self.detail}
        return msgspec.json.encode({"errors": [error]})


_MEANINGS: Final[tuple[tuple[type[HavreError], Code, int], ...]] = (
    (DigestMismatch, Code.DIGEST_INVALID, 400),
    (InvalidInput, Code.UNSUPPORTED, 400),
    (NotFound, Code.BLOB_UNKNOWN, 404),
    (Forbidden, Code.DENIED, 403),
    (ResourceExhausted, Code.UNKNOWN, 507),
    (Unavailable, Code.UNAVAILABLE, 503),
)


def refusal_of(error: HavreError) -> Refusal:
    """The refusal that *error*, raised in any room, is to a client."""
    if isinstance(error, Refusal):
        return error
    for kind, code, status in _MEANINGS:
        if isinstance(error, kind):
            return Refusal(code, error.message, status=status)
    return Refusal(Code.UNKNOWN, error.message)
