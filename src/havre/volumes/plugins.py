"""Drivers that other programs offer over Docker's plugin sockets."""

from havre.base.errors import NotFound
from havre.volumes.volumes import Driver


class Plugins:
    """The drivers found in the plugin folders."""

    async def get(self, name: str) -> Driver:
        """Raises NotFound."""
        raise NotFound(f'error looking up volume plugin {name}: plugin "{name}" not found')
