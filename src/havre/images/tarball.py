"""Members of archives that are put together by hand: owned by root, at the epoch, the same bytes each time."""

from havre.snapshots.tar_fields import Numbers, header
from havre.snapshots.tar_header import BLOCK

END_MARK = bytes(2 * BLOCK)


def folder(path: str) -> bytes:
    """A folder's entry."""
    return header(b"5", f"{path}/".encode(), Numbers(0o755))


def file_header(path: str, size: int, *, mode: int = 0o644, mtime_ns: int = 0) -> bytes:
    """What stands before the *size* bytes of a file; `padding(size)` follows them."""
    return header(b"0", path.encode(), Numbers(mode, size=size, mtime_ns=mtime_ns))


def file(path: str, data: bytes, *, mode: int = 0o644, mtime_ns: int = 0) -> bytes:
    """A whole file."""
    return file_header(path, len(data), mode=mode, mtime_ns=mtime_ns) + data + padding(len(data))


def padding(size: int) -> bytes:
    """What fills the last block of *size* bytes."""
    return bytes(-size % BLOCK)
