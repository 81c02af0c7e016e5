"""The headers X-Registry-Auth and X-Registry-Config: who asks the registry, as JSON in base64."""

import base64
import binascii
from typing import Final, TypeVar

import msgspec

from havre.api.request import Request
from havre.base.errors import InvalidInput
from havre.wire.images import AuthConfig

_HEADER: Final = "x-registry-auth"
_CONFIG: Final = "x-registry-config"
_T = TypeVar("_T")


def auth_of(request: Request) -> AuthConfig:
    """What the client sent along; nothing is a stranger. Raises InvalidInput."""
    return _decoded(request, _HEADER, "X-Registry-Auth", AuthConfig)


def registry_config_of(request: Request) -> dict[str, AuthConfig]:
    """What a build's client sent along for each registry. Raises InvalidInput."""
    return _decoded(request, _CONFIG, "X-Registry-Config", dict[str, AuthConfig])


def _decoded(request: Request, field: str, shown: str, kind: type[_T]) -> _T:
    text = request.fields.get(field, "").rstrip("=")
    try:
        data = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
        return msgspec.json.decode(data or b"{}", type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        raise InvalidInput(f"invalid {shown} header") from None
