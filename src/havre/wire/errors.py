"""What every failed request answers."""

from typing import TypedDict


class ErrorResponse(TypedDict, total=False):
    """The body of every status from 400 on."""

    message: str | None
