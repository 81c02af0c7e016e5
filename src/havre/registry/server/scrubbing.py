"""Scrubbing: every stored blob is read now and then, and what the disk has damaged is set aside.

A damaged blob that stays in its place is served for ever: clients that push it again are told that it is there.
Set aside, it is unknown, so that the next push brings it, or the cache fetches it.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from havre.content.errors import DamagedBlob, NoSuchBlob
from havre.content.store import Content
from havre.oci.digest import Digest

_PIECE_BYTES: Final = 1 << 20


def scrub(content: Content, pause: Callable[[int], None]) -> list[Digest]:
    """Read every blob; gives those that were damaged, which lie in `lost+found` now. Blocks for long.

    *pause* is called with the bytes of each piece that was read: what it waits is left to others.
    """
    damaged: list[Digest] = []
    for digest in content.digests():
        try:
            with content.open(digest) as blob:
                while piece := blob.read(_PIECE_BYTES):
                    pause(len(piece))
        except DamagedBlob:
            with suppress(NoSuchBlob):
                content.set_aside(digest)
                damaged.append(digest)
        except NoSuchBlob:  # collected meanwhile
            continue
    return damaged


def at_rate(bytes_per_s: int) -> Callable[[int], None]:
    """A pause that keeps reading below *bytes_per_s*."""
    return lambda size: time.sleep(size / bytes_per_s)
