"""What the root tests of the snapshots share; each test must leave handles and mounts as it found them."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from havre.oci.digest import Digest
from havre.snapshots.contract import Layer
from havre.snapshots.layer import Applied, apply_layer
from havre.snapshots.overlay import Overlay
from tests.support.handles import handles


def digest_of(data: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(data).hexdigest())


def chain_of(parent: Digest | None, data: bytes) -> Digest:
    diff = digest_of(data)
    return diff if parent is None else digest_of(f"{parent} {diff}".encode())


@dataclass
class Store:
    """An overlay store, and a short way to unpack one layer on another."""

    overlay: Overlay
    root: Path

    def layer(self, data: bytes, parent: Digest | None = None) -> Layer:
        made, _ = self.overlay.unpack(chain_of(parent, data), parent, io.BytesIO(data))
        self.overlay.sealing.flush()
        return made

    def stack(self, *archives: bytes) -> Digest:
        parent: Digest | None = None
        for data in archives:
            parent = self.layer(data, parent).chain
        assert parent is not None
        return parent


@pytest.fixture(autouse=True)
def nothing_leaks(tmp_path: Path) -> Iterator[None]:
    def mounts() -> int:
        return Path("/proc/self/mountinfo").read_text().count(str(tmp_path))

    before, mounted = handles(), mounts()
    yield
    assert handles() <= before
    assert mounts() == mounted


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    overlay = Overlay(tmp_path / "overlay2")
    yield Store(overlay, tmp_path / "overlay2")
    overlay.close()


Apply = Callable[[bytes], Applied]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty folder that stands for a layer's diff."""
    path = tmp_path / "deep" / "er" / "tree"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def apply(tree: Path) -> Apply:
    """Apply an archive to `tree` as the lowest layer of all."""

    def run(data: bytes) -> Applied:
        handle = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return apply_layer(io.BytesIO(data), handle, None)
        finally:
            os.close(handle)

    return run


@dataclass
class Marker:
    """A folder outside, which nobody may read or change."""

    path: Path

    def state(self) -> list[tuple[object, ...]]:
        found: list[tuple[object, ...]] = []
        for folder, folders, files in os.walk(self.path):
            for name in ["", *folders, *files]:
                status = os.lstat(os.path.join(folder, name))
                found.append(
                    (
                        os.path.join(folder, name),
                        status.st_ino,
                        status.st_mode,
                        status.st_nlink,
                        status.st_uid,
                        status.st_gid,
                        status.st_size,
                        status.st_atime_ns,
                        status.st_mtime_ns,
                        status.st_ctime_ns,
                    )
                )
        return sorted(found)


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[Marker]:
    outside = tmp_path / "outside"
    (outside / "sub").mkdir(parents=True)
    (outside / "file").write_bytes(b"secret")
    (outside / "sub" / "file").write_bytes(b"secret too")
    (outside / "script").write_bytes(b"#!/bin/sh\n")
    for path in (outside / "file", outside / "sub" / "file", outside / "script"):
        # Access times before the change times: relatime does not hide a read.
        os.utime(path, ns=(10**18, 2 * 10**18))
    for path in (outside / "sub", outside):
        os.utime(path, ns=(10**18, 10**18))
    made = Marker(outside)
    made.state()  # listing folders sets their access times once
    before = made.state()
    yield made
    assert made.state() == before
