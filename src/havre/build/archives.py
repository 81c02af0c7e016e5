"""Whether a file is an archive, by its contents alone."""

from havre.content.reader import FileReader
from havre.snapshots.budget import BadArchive
from havre.snapshots.compression import Decompressed
from havre.snapshots.tar_header import BLOCK

_MAGIC = slice(257, 262)


def is_archive(handle: int) -> bool:
    """Whether the open file begins as a tar archive does, compressed or not."""
    try:
        stream = Decompressed(FileReader(handle))
        block = b""
        while len(block) < BLOCK and (piece := stream.read(BLOCK - len(block))):
            block += piece
    except (BadArchive, OSError):
        return False
    return len(block) == BLOCK and (block[_MAGIC] == b"ustar" or _is_old_header(block))


def _is_old_header(block: bytes) -> bool:
    """A header from before there was a mark: its sum is right, and it is not all zeros."""
    try:
        told = int(block[148:156].strip(b" \0") or b"x", 8)
    except ValueError:
        return False
    return told == sum(block[:148]) + 8 * 0x20 + sum(block[156:]) and any(block)
