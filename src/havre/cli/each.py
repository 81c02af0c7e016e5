"""The same act on several names: what succeeds is printed, what fails is told, and the exit code is 1 if any failed."""

from __future__ import annotations

from havre.cli.screen import Screen
from havre.client.errors import ApiError, ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def each(names: Iterable[str], act: Callable[[str], object], screen: Screen, *, echo: bool = True) -> int:
    """Call *act* with each name and print the name when it worked."""
    code = 0
    for name in names:
        try:
            act(name)
        except ClientError as error:
            screen.error(shown_error(error))
            code = 1
        else:
            if echo:
                screen.line(name)
    return code


def shown_error(error: ClientError) -> str:
    """An error as Docker's command line tells it."""
    return f"Error response from daemon: {error}" if isinstance(error, ApiError) else str(error)
