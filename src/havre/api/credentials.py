"""The header X-Registry-Auth: who asks the registry, as JSON in base64."""

import base64
import binascii
from typing import Final

import msgspec

from havre.api.request import Request
from havre.base.errors import InvalidInput
from havre.wire.images import AuthConfig

_HEADER: Final = "x-registry-auth"


def auth_of(request: Request) -> AuthConfig:
    """What the client sent along; nothing is a stranger. Raises InvalidInput."""
    text = request.fields.get(_HEADER, "").rstrip("=")
    if not text:
        return {}
    try:
        data = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
        return msgspec.json.decode(data or b"{}", type=AuthConfig)
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        raise InvalidInput("invalid X-Registry-Auth header") from None
