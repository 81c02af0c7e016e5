"""Errors of every room, in the specification's words."""

from __future__ import annotations

import json

import pytest

from havre.base.errors import (
    Conflict,
    HavreError,
    InternalError,
    InvalidInput,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from havre.content.errors import DamagedBlob, DigestMismatch
from havre.registry.server.refusal import Code, Refusal, refusal_of


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (DigestMismatch("a"), "DIGEST_INVALID", 400),
        (InvalidInput("a"), "UNSUPPORTED", 400),
        (NotFound("a"), "BLOB_UNKNOWN", 404),
        (ResourceExhausted("a"), "UNKNOWN", 507),
        (Unavailable("a"), "UNAVAILABLE", 503),
        (InternalError("a"), "UNKNOWN", 500),
        (DamagedBlob("a"), "UNKNOWN", 500),
        (Conflict("a"), "UNKNOWN", 500),
        (Refusal(Code.DENIED, "a"), "DENIED", 403),
    ],
)
def test_meanings_and_codes(error: HavreError, code: str, status: int) -> None:
    refusal = refusal_of(error)
    assert refusal.status == status
    assert json.loads(refusal.body()) == {"errors": [{"code": code, "message": "a", "detail": None}]}
