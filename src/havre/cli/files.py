"""Archives that travel between files (or standard streams) and the daemon."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from havre.cli.screen import STDIN, STDOUT, write_all
from havre.client.errors import ClientError

_PIECE = 1 << 20


def pieces_of(path: str) -> Iterator[bytes]:
    """The content of a file, or of standard input for "" and "-". Raises ClientError."""
    if path in ("", "-"):
        while data := os.read(STDIN, _PIECE):
            yield data
        return
    try:
        with open(path, "rb") as file:
            while data := file.read(_PIECE):
                yield data
    except OSError as error:
        raise ClientError(f"open {path}: {(error.strerror or str(error)).lower()}") from error


def check_readable(path: str) -> None:
    """Raises ClientError before a request is made for a file that can't be read."""
    if path in ("", "-"):
        return
    try:
        with open(path, "rb"):
            return
    except OSError as error:
        raise ClientError(f"open {path}: {(error.strerror or str(error)).lower()}") from error


def write_whole(path: str, pieces: Iterable[bytes]) -> None:
    """Standard output for "", else a file that appears when it is complete. Raises ClientError."""
    if not path:
        for piece in pieces:
            write_all(STDOUT, piece)
        return
    staged = f"{path}.{os.getpid()}.part"
    try:
        with open(staged, "wb") as file:
            for piece in pieces:
                file.write(piece)
        os.rename(staged, path)
    except OSError as error:
        raise ClientError(f"failed to write to {path}: {(error.strerror or str(error)).lower()}") from error
    finally:
        if os.path.exists(staged):
            os.unlink(staged)
