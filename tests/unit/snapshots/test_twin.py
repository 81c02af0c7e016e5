"""A layer laid out while its archive is written."""

import io
import os
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from havre.base.errors import Unavailable
from havre.snapshots.budget import BadArchive
from havre.snapshots.contract import View
from havre.snapshots.twin import Twin


class Trees:
    """One folder as the tree in work, another as what it stands on."""

    def __init__(self, folder: Path) -> None:
        self.upper, self.below = folder / "diff", folder / "below"
        self.upper.mkdir()
        self.below.mkdir()

    def diff_path(self, _key: str) -> Path:
        return self.upper

    @contextmanager
    def mounted(self, _key: str, view: View) -> Iterator[int]:
        assert view is View.BELOW
        handle = os.open(self.below, os.O_RDONLY)
        try:
            yield handle
        finally:
            os.close(handle)


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    """Both empty."""
    return Trees(tmp_path)


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """No twin is at work after its end."""
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("twin")]


def archive(count: int, size: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for number in range(count):
            member = tarfile.TarInfo(f"folder/{number}")
            member.size = size
            made.addfile(member, io.BytesIO(bytes([number % 256]) * size))
    return buffer.getvalue()


def pieces_of(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("size", [512, 700, 1 << 20])
def test_what_is_passed_on_is_laid_out_as_well(trees: Trees, size: int) -> None:
    data = archive(40, 3000)
    with Twin(trees, "key") as twin:
        passed = b"".join(twin.following(pieces_of(data, size)))
        laid = twin.laid_out()
    assert passed == data
    assert (laid.size, laid.own_root) == (40 * 3000, False)
    assert {path.name: path.read_bytes() for path in (trees.upper / "folder").iterdir()} == {
        str(number): bytes([number]) * 3000 for number in range(40)
    }


def test_folders_that_the_archive_does_not_describe_are_as_below(trees: Trees) -> None:
    (trees.below / "folder").mkdir()
    (trees.below / "folder").chmod(0o1751)
    with Twin(trees, "key") as twin:
        for _ in twin.following([archive(1, 10)]):
            pass
        twin.laid_out()
    assert (trees.upper / "folder").stat().st_mode & 0o7777 == 0o1751


def test_a_failure_reaches_whoever_writes(trees: Trees) -> None:
    broken = b"no archive at all".ljust(512, b".") * 4000

    def write() -> None:
        with Twin(trees, "key") as twin:
            for _ in twin.following(pieces_of(broken, 512)):
                pass
            twin.laid_out()

    with pytest.raises(BadArchive):
        write()


def test_an_archive_given_up_leaves_no_thread(trees: Trees) -> None:
    def write() -> None:
        with Twin(trees, "key") as twin:
            next(twin.following(pieces_of(archive(40, 3000), 700)))
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        write()


def test_an_archive_given_up_is_told_to_have_failed(trees: Trees) -> None:
    with Twin(trees, "key") as twin:
        pass
    with pytest.raises(Unavailable):
        twin.laid_out()
