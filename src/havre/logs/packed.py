"""Log files of the past, packed by gzip: written beside the container's work, read like any other."""

import os
import zlib

_CHUNK = 256 << 10
_GZIP = 31
_NICE = 10
_FILES_LIMIT = 4096


def pack_apart(path: str) -> int:
    """Replace *path* by `path.gz` in a process of its own; its pid, or 0 when there can be none.

    The process holds no descriptor of its parent's, so that nobody waits for it.
    """
    try:
        pid = os.fork()
    except OSError:
        return 0
    if pid == 0:
        try:
            os.closerange(0, _FILES_LIMIT)
            os.nice(_NICE)
            pack(path)
        finally:
            os._exit(0)
    return pid


def pack(path: str) -> None:
    """Replace *path* by `path.gz`, which is there whole or not at all. Raises OSError."""
    new = f"{path}.gz.new"
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        times = os.fstat(source)
        target = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        try:
            packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
            while data := os.read(source, _CHUNK):
                _write(target, packer.compress(data))
            _write(target, packer.flush())
            os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
        except OSError:
            os.unlink(new)  # noqa: PTH108  no pathlib in the shim
            raise
        finally:
            os.close(target)
    finally:
        os.close(source)
    os.rename(new, f"{path}.gz")  # noqa: PTH104
    os.unlink(path)  # noqa: PTH108


def unpacked(fd: int) -> int:
    """A descriptor of the whole text of the packed file *fd*, in memory; what is damaged ends it."""
    text = os.memfd_create("log", os.MFD_CLOEXEC)
    reader = zlib.decompressobj(_GZIP)
    try:
        while data := os.read(fd, _CHUNK):
            _write(text, reader.decompress(data))
    except zlib.error:
        pass  # what came before is told
    os.lseek(text, 0, os.SEEK_SET)
    return text


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
