"""Volumes on the disk: `<data-root>/volumes/<name>/` holds `_data` and, in `volume.json`, the record.

A volume is made under a name with a dot and renamed when it is whole; it goes by a rename to such a name and is then
emptied. So at any instruction a volume is there with its record or not there, and what a crash leaves bears a dot.
First content is copied beside `_data`, and takes its place when it is whole.
"""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from havre.base.atomic import sync_folder, write_file
from havre.base.errors import HavreError
from havre.kernel.files import syncfs
from havre.kernel.removing import remove_tree
from havre.volumes.driver import is_mounted, unmount_volume
from havre.volumes.image import IMAGE, make_image, mount_image
from havre.volumes.model import Volume

DATA: Final = "_data"
_RECORD: Final = "volume.json"
_HALF: Final = ".half"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_log = logging.getLogger(__name__)
_decode = msgspec.json.Decoder(Volume).decode
_encode = msgspec.json.Encoder().encode


class Store:
    """The folder of all volumes. Every call blocks."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self) -> list[Volume]:
        """Every volume, and what a crash left is gone. One whose record cannot be read is left alone and not listed."""
        self._root.mkdir(mode=0o701, parents=True, exist_ok=True)
        found: list[Volume] = []
        for folder in sorted(self._root.iterdir()):
            if folder.name.startswith("."):
                self._empty(folder.name)
            elif (volume := _read(folder)) is not None:
                self._clear_half(folder.name)
                found.append(volume)
        return found

    def path(self, name: str) -> Path:
        """Where its content is."""
        return self._root / name / DATA

    def add(self, volume: Volume) -> None:
        """Make it, durably and at once. Raises FileExistsError, NotSupported for a size that this host cannot hold."""
        staged = self._root / f".new-{os.urandom(8).hex()}"
        staged.mkdir(mode=0o701)
        try:
            (staged / DATA).mkdir(mode=0o755)
            if volume.limit_bytes:
                make_image(staged / DATA, volume.limit_bytes)
            write_file(staged / _RECORD, _encode(volume))
            staged.rename(self._root / volume.name)
        except (OSError, HavreError):
            self._empty(staged.name)
            raise
        sync_folder(self._root)

    @contextmanager
    def replacement(self, volume: Volume) -> Iterator[int]:
        """A handle on a folder that becomes the content of *volume*, which is empty and unused, all at once at the end.

        When the block raises, or the process dies in it, the volume stays as it was; once it is left, the content
        survives a power cut. Raises OSError.
        """
        place = self._root / volume.name
        self._clear_half(volume.name)
        half = place / _HALF / DATA
        half.mkdir(mode=0o755, parents=True)
        try:
            if volume.limit_bytes:
                make_image(half, volume.limit_bytes)
                mount_image(half)
            handle = os.open(half, _FOLDER)
            try:
                yield handle
                _to_disk(handle)
            finally:
                os.close(handle)
            if volume.limit_bytes:
                unmount_volume(half)
                (half.parent / IMAGE).rename(place / IMAGE)
            else:
                half.rename(place / DATA)  # in the place of an empty folder: rename(2)
            sync_folder(place)
        finally:
            self._clear_half(volume.name)

    def rename(self, volume: Volume, name: str) -> Volume:
        """Give it another name: that of the folder counts, whatever the record says."""
        (self._root / volume.name).rename(self._root / name)
        renamed = msgspec.structs.replace(volume, name=name)
        write_file(self._root / name / _RECORD, _encode(renamed))
        sync_folder(self._root)
        return renamed

    def change(self, volume: Volume) -> None:
        """Write its record anew."""
        write_file(self._root / volume.name / _RECORD, _encode(volume))

    def drop(self, name: str) -> None:
        """Let it go with all that is in it; what is gone already is no error.

        Raises OSError when something is still mounted on it: that belongs to somebody else.
        """
        if is_mounted(self.path(name)):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(self.path(name)))
        gone = f".gone-{os.urandom(8).hex()}"
        try:
            (self._root / name).rename(self._root / gone)
        except FileNotFoundError:
            return
        sync_folder(self._root)
        self._empty(gone)

    def _clear_half(self, name: str) -> None:
        if (self._root / name / _HALF).exists():
            self._empty(f"{name}/{_HALF}")

    def _empty(self, name: str) -> None:
        handle = os.open(self._root, _FOLDER)
        try:
            unmount_volume(self._root / name / DATA)  # a crash while it was made
            remove_tree(handle, name)
        except OSError:
            # It stays under its name with a dot and is tried again at the next start.
            _log.exception("cannot remove %s", self._root / name)
        finally:
            os.close(handle)


def _to_disk(folder: int) -> None:
    """All that is in *folder*, by one call for its whole file system: an fsync of each file takes far longer."""
    with os.scandir(folder) as entries:
        empty = next(entries, None) is None
    if empty:
        os.fsync(folder)  # its owner and mode are all that it has: no need to wait for what others write
    else:
        syncfs(folder)


def _read(folder: Path) -> Volume | None:
    try:
        volume = _decode((folder / _RECORD).read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as broken:
        _log.error("the record of volume %s cannot be read; it is left alone: %s", folder.name, broken)
        return None
    return msgspec.structs.replace(volume, name=folder.name)  # a rename may have been cut off before the record
