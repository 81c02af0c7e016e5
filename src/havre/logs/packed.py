"""Log files of the past, packed by gzip: written beside the container's work, read like any other."""

import os
import zlib

_CHUNK = 256 << 10
_GZIP, _RAW = 31, -15
_HEAD = b"\x1f\x8b\x08\x10\0\0\0\0\x04\xff"  # deflate, a comment, no time, fastest, no system
_HEAD_LIMIT = 64
_WORD = 0xFFFFFFFF
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
    """Replace *path* by `path.gz`, which is there whole or not at all. Raises OSError.

    Its comment tells the inode of *path*: who reads that file still must know this one for the same text.
    """
    new = f"{path}.gz.new"
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        times = os.fstat(source)
        target = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        try:
            _deflate(source, target, times.st_ino)
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


def packed_inode(fd: int) -> int:
    """The inode of the file that `pack` made the packed file *fd* of; 0 when it does not tell."""
    head = os.pread(fd, _HEAD_LIMIT, 0)
    comment = head[len(_HEAD) :].split(b"\0", 1)[0]
    return int(comment) if head.startswith(_HEAD) and comment.isdigit() else 0


def unpacked(fd: int) -> int:
    """A descriptor of the whole text of the packed file *fd*, in memory; what is damaged ends it."""
    text = os.memfd_create("log", os.MFD_CLOEXEC)
    reader = zlib.decompressobj(_GZIP)
    while data := os.read(fd, _CHUNK):
        before = reader.copy()
        try:
            _write(text, reader.decompress(data))
        except zlib.error:
            _write_until_damage(text, before, data)
            break
    os.lseek(text, 0, os.SEEK_SET)
    return text


def _write_until_damage(fd: int, reader: "zlib._Decompress", data: bytes) -> None:
    """What *data* says before the byte that cannot be: an error gives nothing of all it was given."""
    try:
        for byte in data:
            _write(fd, reader.decompress(bytes((byte,))))
    except zlib.error:
        pass


def _deflate(source: int, target: int, inode: int) -> None:
    packer = zlib.compressobj(1, zlib.DEFLATED, _RAW)
    crc = size = 0
    _write(target, _HEAD + b"%d\0" % inode)
    while data := os.read(source, _CHUNK):
        crc, size = zlib.crc32(data, crc), size + len(data)
        _write(target, packer.compress(data))
    _write(target, packer.flush() + crc.to_bytes(4, "little") + (size & _WORD).to_bytes(4, "little"))


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
