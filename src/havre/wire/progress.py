"""The lines that pull, push, load, import and build stream: one JSON object a line, ended by CR LF."""

from typing import Final, TypedDict

LINE_END: Final = b"\r\n"


class ProgressDetail(TypedDict, total=False):
    """How far one part of the work has come."""

    current: int | None
    total: int | None
    start: int | None
    hidecounts: bool | None
    units: str | None


class ErrorDetail(TypedDict, total=False):
    """Why the work ended early."""

    code: int | None
    message: str | None


class ProgressLine(TypedDict, total=False):
    """One line; which keys are there tells what kind of line it is."""

    stream: str | None
    status: str | None
    progressDetail: ProgressDetail | None
    progress: str | None
    id: str | None
    error: str | None
    errorDetail: ErrorDetail | None
    aux: dict[str, object] | None
