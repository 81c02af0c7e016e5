"""A file system of an engine's own, so that what others left on the machine's disk is not measured."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def fresh_disk(folder: Path) -> Iterator[Path]:
    """A new ext4, with a journal as usual, at `disk` in *folder*.

    Without one (as some virtual machines have it) ext4 passes over each inode freed in the last minutes, one by
    one, whenever it makes a file: a second round would measure that.
    """
    image, place = folder / "disk.img", folder / "disk"
    place.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(3 << 30)
    subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-R", str(place)], check=True)
        image.unlink()
