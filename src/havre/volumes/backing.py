"""What stands behind the name of a volume: its folder and record, its file system, the plugin that drives it."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from havre.base.errors import HavreError, InternalError
from havre.kernel.copying import copy_tree
from havre.volumes.driver import is_mounted, mount_volume, release_foreign, unmount_volume
from havre.volumes.image import grow
from havre.volumes.model import LOCAL, SIZE, Volume, parse_options, parse_size
from havre.volumes.plugins import Plugins
from havre.volumes.store import Store

_log = logging.getLogger(__name__)


class Backing:
    """Does to one volume what its caller has decided: who may use it, and who waits for whom, is not known here.

    Every call blocks; two calls for one volume never meet.
    """

    def __init__(self, root: Path, plugins: Plugins) -> None:
        self._store = Store(root)
        self._plugins = plugins

    def open(self) -> list[Volume]:
        """Every volume, and what a crash left is gone."""
        return self._store.open()

    def path(self, name: str) -> Path:
        """Where the content of a volume is, or would be."""
        return self._store.path(name)

    def make(self, volume: Volume) -> None:
        """Make it, durably; its driver comes first. Raises InvalidInput, NoSuchDriver, InternalError, NotSupported."""
        if volume.driver == LOCAL:
            self._store.add(msgspec.structs.replace(volume, options=parse_options(volume.name, volume.options)))
            return
        driver = self._plugins.driver(volume.driver)
        try:
            driver.create(volume.name, volume.options)
        except InternalError as refused:
            raise InternalError(f"create {volume.name}: {refused.message}") from refused
        try:
            self._store.add(volume)
        except BaseException:
            driver.remove(volume.name)
            raise

    def remove(self, volume: Volume, *, force: bool) -> None:
        """Let it go with its content, with *force* also where its driver refuses. Raises InternalError, OSError."""
        unmount_volume(self.path(volume.name))  # what a crash left mounted must not be emptied with the folder
        if volume.driver != LOCAL:
            try:
                self._plugins.driver(volume.driver).remove(volume.name)
            except HavreError as refused:
                if not force:
                    raise InternalError(f"remove {volume.name}: {refused.message}") from refused
                _log.warning("volume %s goes, though its driver does not say so: %s", volume.name, refused.message)
        self._store.drop(volume.name)

    def rename(self, volume: Volume, to: str) -> Volume:
        """Give a local one another name."""
        return self._store.rename(volume, to)

    def grow(self, volume: Volume, size: str) -> Volume:
        """Let one with a size hold more, mounted or not. Raises Conflict where the host grows unused ones only."""
        path = self.path(volume.name)
        grow(path, parse_size(volume.name, size), mounted=is_mounted(path))
        grown = msgspec.structs.replace(volume, options={SIZE: size})
        self._store.change(grown)
        return grown

    def mount(self, volume: Volume) -> None:
        """Make its content accessible at its path; what is so already stays. Raises InternalError, NoSuchDriver."""
        mount_volume(volume, self.path(volume.name), self._plugins)

    def unmount(self, volume: Volume) -> None:
        """The opposite of `mount`."""
        unmount_volume(self.path(volume.name))
        release_foreign(volume, self._plugins)

    def fill(self, volume: Volume, open_source: Callable[[], int | None]) -> None:
        """Copy the tree that *open_source* opens, if there is one, into a volume that is empty and not mounted."""
        if not self._is_empty(volume):
            return
        source = open_source()
        if source is None:
            return
        try:
            with self._store.replacement(volume) as into:
                copy_tree(source, into)
        finally:
            os.close(source)

    def _is_empty(self, volume: Volume) -> bool:
        if volume.mounts:
            self.mount(volume)
        try:
            with os.scandir(self.path(volume.name)) as entries:
                return next(entries, None) is None
        finally:
            if volume.mounts:
                self.unmount(volume)
