"""Files that appear whole or not at all: temporary file, fsync, rename, fsync of the folder."""

import contextlib
import os


def write_file(path: str | os.PathLike[str], data: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Make *path* hold exactly *data*.

    A reader sees the old content or the new, also after a crash. With *durable* false the file may be
    lost, never torn, by a power cut: right for what lives on a tmpfs anyway.
    """
    folder, name = os.path.split(path)
    staged = os.path.join(folder, f".{name}.{os.getpid()}.{os.urandom(4).hex()}")  # noqa: PTH118  for the launcher too
    handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(handle, left) :]
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(staged, path)  # noqa: PTH104
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(staged)  # noqa: PTH108
        raise
    if durable:
        sync_folder(folder or ".")


def sync_folder(path: str | os.PathLike[str]) -> None:
    """fsync(2) of a folder: the names in it survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
