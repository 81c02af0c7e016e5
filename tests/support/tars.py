"""Tar archives for tests, made field by field, so that no member is too strange to be said."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field

BLOCK = 512


@dataclass
class Entry:
    """A raw header and its data; every field may lie."""

    path: bytes
    kind: bytes = b"0"
    data: bytes = b""
    link: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = 1_600_000_000
    size: bytes | None = None
    device: tuple[int, int] = (0, 0)
    magic: bytes = b"ustar\x0000"
    pax: dict[bytes, bytes] = field(default_factory=dict)

    def blocks(self) -> bytes:
        out = b""
        if self.pax:
            records = b"".join(pax_record(key, value) for key, value in self.pax.items())
            out += Entry(b"PaxHeaders/x", b"x", records).blocks()
        return out + self._header() + self.data + bytes(-len(self.data) % BLOCK)

    def _header(self) -> bytes:
        raw = (
            self.path[:100].ljust(100, b"\0")
            + b"%07o\0" % self.mode
            + b"%07o\0" % self.uid
            + b"%07o\0" % self.gid
            + (self.size if self.size is not None else b"%011o\0" % len(self.data))
            + b"%011o\0" % self.mtime
            + b" " * 8
            + self.kind
            + self.link[:100].ljust(100, b"\0")
            + self.magic
            + bytes(64)
            + b"%07o\0%07o\0" % self.device
        ).ljust(BLOCK, b"\0")
        return raw[:148] + b"%06o\0 " % sum(raw) + raw[156:]


def pax_record(key: bytes, value: bytes) -> bytes:
    body = b" %s=%s\n" % (key, value)
    length = len(body) + 1
    while len(b"%d" % length) + len(body) != length:
        length += 1
    return b"%d%s" % (length, body)


def archive(*entries: Entry | bytes) -> bytes:
    return b"".join(e if isinstance(e, bytes) else e.blocks() for e in entries) + bytes(2 * BLOCK)


def file(path: str, data: bytes = b"", *, mode: int = 0o644, uid: int = 0) -> Entry:
    return Entry(path.encode(), b"0", data, mode=mode, uid=uid)


def folder(path: str, mode: int = 0o755, *, uid: int = 0, gid: int = 0, size: bytes | None = None) -> Entry:
    return Entry(path.encode(), b"5", mode=mode, uid=uid, gid=gid, size=size)


def symlink(path: str, target: str) -> Entry:
    return Entry(path.encode(), b"2", link=target.encode(), mode=0o777)


def hardlink(path: str, target: str) -> Entry:
    return Entry(path.encode(), b"1", link=target.encode())


def long_name(kind: bytes, value: bytes) -> Entry:
    """GNU's header for a long path (L) or link (K)."""
    return Entry(b"././@LongLink", kind, value + b"\0", magic=b"ustar  \0")


def with_tarfile(format_: int, members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_) as tar:
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()
