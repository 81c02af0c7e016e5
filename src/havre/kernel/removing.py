"""Trees removed by handle: nothing that a container left in them leads outside."""

import os
import stat
from contextlib import suppress

_MAX_LEVELS = 32
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(parent: int, name: str | bytes) -> None:
    """Remove *name* in the folder *parent*, with all below it; links are removed, never followed.

    What is gone already is no error, so two removals of one tree may meet.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=parent)
            return
        handle = os.open(name, _FOLDER, dir_fd=parent)
        try:
            empty_folder(handle)
        finally:
            os.close(handle)
        os.rmdir(name, dir_fd=parent)


def empty_folder(top: int) -> None:
    """Remove all that is in the open folder, however deep.

    A container can nest folders without end: what lies too deep is moved up, so that few handles are open.
    """
    levels = [(top, "", _split(top))]
    try:
        while levels:
            here, name, folders = levels[-1]
            if not folders:
                levels.pop()
                if levels:
                    os.close(here)
                    with suppress(FileNotFoundError):
                        os.rmdir(name, dir_fd=levels[-1][0])
                continue
            child = folders.pop()
            with suppress(FileNotFoundError):
                if len(levels) >= _MAX_LEVELS:
                    moved = os.urandom(16).hex()
                    os.rename(child, moved, src_dir_fd=here, dst_dir_fd=top)
                    levels[0][2].append(moved)
                else:
                    handle = os.open(child, _FOLDER, dir_fd=here)
                    levels.append((handle, child, []))
                    levels[-1][2].extend(_split(handle))
    finally:
        for handle, _, _ in levels[1:]:
            os.close(handle)


def _split(handle: int) -> list[str]:
    """Unlink all but the folders of an open folder, and name those."""
    folders: list[str] = []
    with os.scandir(handle) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
                continue
            with suppress(FileNotFoundError):
                os.unlink(entry.name, dir_fd=handle)
    return folders
