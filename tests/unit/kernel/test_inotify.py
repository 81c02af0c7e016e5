import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from havre.kernel.inotify import (
    IN_CREATE,
    IN_IGNORED,
    IN_MODIFY,
    IN_MOVED_TO,
    add_watch,
    inotify_open,
    read_events,
    remove_watch,
)
from havre.kernel.libc import KernelError


@pytest.fixture
def handle() -> Iterator[int]:
    fd = inotify_open()
    assert not os.get_inheritable(fd)
    yield fd
    os.close(fd)


def test_changes_are_told(handle: int, tmp_path: Path) -> None:
    number = add_watch(handle, tmp_path, IN_CREATE | IN_MODIFY | IN_MOVED_TO)
    assert read_events(handle) == []
    (tmp_path / "file").write_text("x")
    (tmp_path / "file").rename(tmp_path / "moved")
    assert read_events(handle) == [
        (number, IN_CREATE, b"file"),
        (number, IN_MODIFY, b"file"),
        (number, IN_MOVED_TO, b"moved"),
    ]
    remove_watch(handle, number)
    assert read_events(handle) == [(number, IN_IGNORED, b"")]
    remove_watch(handle, number)


def test_a_folder_that_is_not_there(handle: int, tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=r"watch .*missing") as caught:
        add_watch(handle, tmp_path / "missing", IN_CREATE)
    assert caught.value.errno == errno.ENOENT
