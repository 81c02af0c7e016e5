"""What the daemon's life needs of the rooms that `wiring` joins."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from havre.api.limited import Labels
from havre.api.router import Route
from havre.daemon.config import Config


class Rooms(Protocol):
    """All rooms, open."""

    def routes(self) -> list[Route]:
        """Everything that is served besides the ping."""

    def labels(self) -> Labels:
        """Who bears which labels."""

    def reload(self, config: Config) -> None:
        """Heed what of *config* may change without a start. Raises a HavreError, and then nothing changes."""

    async def end_containers(self, patience_s: float) -> None:
        """End everything that runs, asking first and killing after *patience_s*."""


class OpenRooms(Protocol):
    """Opens all rooms, and closes them at the end."""

    def __call__(self, config: Config, warnings: Sequence[str]) -> AbstractAsyncContextManager[Rooms]:
        """The rooms for *config*; *warnings* are what `info` should tell, too."""
