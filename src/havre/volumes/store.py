"""Volumes on the disk: one folder each, which appears and goes by one rename.

```
<name>/volume.json     what was asked for
<name>/_data/          the data
.staging/ .trash/      what a crash left half-made, or half-removed: emptied at start
```
A name of a volume cannot begin with a dot. A folder with data but without a readable `volume.json` is a volume, too: no
start of the engine destroys data.
"""

import logging
import os
from pathlib import Path
from typing import Final, Protocol

import msgspec

from havre.base.atomic import sync_folder, write_file
from havre.base.errors import InvalidInput
from havre.volumes.model import Volume, check_name

DATA: Final = "_data"
_RECORD: Final = "volume.json"
_FOLDER_MODE: Final = 0o701
_DATA_MODE: Final = 0o755
_log = logging.getLogger(__name__)
_decode = msgspec.json.Decoder(Volume).decode


class Trash(Protocol):
    """Where trees are removed behind the scenes."""

    def put(self, path: Path) -> None:
        """Move the tree at *path* away."""

    def empty(self) -> None:
        """Begin to remove what is left of a process before this one."""


class Store:
    """The folder of all volumes; every call blocks a little."""

    def __init__(self, root: Path, trash: Trash) -> None:
        self.root = root
        self._trash = trash
        self._staging = root / ".staging"

    def load(self) -> list[Volume]:
        """All volumes; what a dead process left half-made goes."""
        self.root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        self.root.chmod(_FOLDER_MODE)
        self._staging.mkdir(mode=0o700, exist_ok=True)
        for left in list(self._staging.iterdir()):
            self._trash.put(left)
        self._trash.empty()
        found = (self._read(folder) for folder in sorted(self.root.iterdir()) if folder.is_dir())
        return [volume for volume in found if volume is not None]

    def folder(self, name: str) -> Path:
        """What belongs to the volume *name*."""
        return self.root / name

    def data(self, name: str) -> Path:
        """Its data."""
        return self.root / name / DATA

    def add(self, volume: Volume) -> None:
        """Make it, durably: the record and an empty folder for its data."""
        staged = self._staging / f"{os.urandom(8).hex()}"
        staged.mkdir()
        try:
            staged.chmod(_FOLDER_MODE)
            (staged / DATA).mkdir()
            (staged / DATA).chmod(_DATA_MODE)
            write_file(staged / _RECORD, msgspec.json.encode(volume))
            staged.rename(self.folder(volume.name))
        except BaseException:
            self._trash.put(staged)
            raise
        sync_folder(self.root)

    def save(self, volume: Volume) -> None:
        """Write a changed record down."""
        write_file(self.folder(volume.name) / _RECORD, msgspec.json.encode(volume))

    def rename(self, volume: Volume, name: str) -> None:
        """Give the volume, and its folder, another name. The folder's name counts, whatever the record says."""
        self.folder(volume.name).rename(self.folder(name))
        sync_folder(self.root)

    def remove(self, name: str) -> None:
        """Forget it; its data goes behind the scenes. What is gone already is no error."""
        try:
            self._trash.put(self.folder(name))
        except FileNotFoundError:
            return
        sync_folder(self.root)

    def _read(self, folder: Path) -> Volume | None:
        for left in list(folder.glob(f"{DATA}.*")):  # a copy that was not finished
            self._trash.put(left)
        try:
            check_name(folder.name)
        except InvalidInput:
            return None
        try:
            return msgspec.structs.replace(_decode((folder / _RECORD).read_bytes()), name=folder.name)
        except (OSError, msgspec.MsgspecError):
            if not (folder / DATA).is_dir():
                return None
            _log.warning("volume %s has no record that can be read; its data stays", folder.name)
        return Volume(name=folder.name, created_ns=(folder / DATA).stat().st_ctime_ns)
