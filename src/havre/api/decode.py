"""JSON from outside into the types of `wire`, as laxly as Go reads it and no laxer.

Null stands for a field that is not there, unknown fields are passed over, one text may stand for a list of
arguments, and the case of a field's letters does not matter. Numbers past 64 bits and NUL characters are refused
here once for all fields.
"""

import re
from typing import Final, TypeVar, cast

import msgspec

from havre.api.field_names import misspelt, named
from havre.api.request import Request
from havre.base.errors import InvalidInput

_T = TypeVar("_T")
_LONG_NUMBER: Final = re.compile(rb"[0-9]{19}")
_INT64: Final = 1 << 63
_TEXT_OR_LIST: Final = ("Cmd", "Entrypoint", "Shell")


async def read_json(request: Request, kind: type[_T], *, required: bool = False) -> _T:
    """The body of *request* as a *kind*; an empty body is an empty object unless *required*. Raises InvalidInput."""
    body = await request.body.read()
    _check_content_type(request, body)
    if not body:
        if required:
            raise InvalidInput("invalid JSON: got EOF while reading request body")
        return cast("_T", {})
    value = _decode(body, kind)
    if _LONG_NUMBER.search(body) or b"\\u0000" in body:
        _check_values(value)
    return value


def _check_content_type(request: Request, body: bytes) -> None:
    given = request.fields.get("content-type", "")
    if not given and not body:
        return
    media_type = given.partition(";")[0].strip().lower()
    if "/" not in media_type:
        raise InvalidInput(f"malformed Content-Type header ({given[:128]}): mime: no media type")
    if media_type != "application/json":
        raise InvalidInput(f"unsupported Content-Type header ({given[:128]}): must be 'application/json'")


def _decode(body: bytes, kind: type[_T]) -> _T:
    decoder = _decoder(kind)
    try:
        try:
            value = _decode_loosely(body, kind) if misspelt(body, kind) else decoder.decode(body)
        except msgspec.ValidationError:
            value = _decode_loosely(body, kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as broken:
        text = str(broken)[:512]
        raise InvalidInput(f"invalid JSON: {'unexpected EOF' if 'truncated' in text else text}") from None
    return cast("_T", {}) if value is None else value


_decoders: Final[dict[object, object]] = {}


def _decoder(kind: type[_T]) -> "msgspec.json.Decoder[_T | None]":
    if kind not in _decoders:
        _decoders[kind] = msgspec.json.Decoder(_or_null(kind))
    return cast("msgspec.json.Decoder[_T | None]", _decoders[kind])


def _or_null(kind: type[_T]) -> "type[_T | None]":
    # The cast tells the checker, which takes `type[_T]` for a value, what the union means.
    return cast("type[_T | None]", kind | None)


def _decode_loosely(body: bytes, kind: type[_T]) -> _T | None:
    """The slow way, for the clients that send `"Cmd": "date"` or `"detachKeys"`."""
    loose = named(msgspec.json.decode(body), kind)
    if isinstance(loose, dict):
        for field in _TEXT_OR_LIST:
            if isinstance(text := loose.get(field), str):
                loose[field] = [text]
    return msgspec.convert(loose, _or_null(kind))


def _check_values(value: object) -> None:
    waiting = [value]
    while waiting:
        match waiting.pop():
            case bool() | float() | None:
                pass
            case int(number) if not -_INT64 <= number < _INT64:
                raise InvalidInput("invalid JSON: a number is out of range")
            case str(text) if "\0" in text:
                raise InvalidInput("invalid JSON: a text holds a NUL character")
            case list(items):
                waiting.extend(items)
            case dict(fields):
                waiting.extend(fields)
                waiting.extend(fields.values())
            case _:
                pass
