from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from havre.kernel.libc import KernelError
from havre.kernel.mounts import MountFlag, mount
from havre.kernel.netns import make_netns, open_netns, pin_netns, run_in_netns, unpin_netns
from tests.support.handles import handles

pytestmark = pytest.mark.root


def _inode() -> int:
    return os.stat("/proc/thread-self/ns/net").st_ino


def test_a_namespace_is_made_visited_and_left() -> None:
    home = _inode()
    fd, inside = make_netns(_inode)
    try:
        assert inside != home
        assert run_in_netns(fd, _inode) == inside == os.fstat(fd).st_ino
        assert _inode() == home
        assert not [thread for thread in threading.enumerate() if thread.name == "netns-visit"]
        assert not os.get_inheritable(fd)
    finally:
        os.close(fd)


def test_what_fails_inside_is_raised_outside_and_nothing_stays_open() -> None:
    before = handles()

    def fail() -> None:
        raise LookupError("inside")

    with pytest.raises(LookupError, match="inside"):
        make_netns(fail)
    assert handles() <= before


def test_a_pin_holds_until_it_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "pin"
    fd, inside = make_netns(_inode)
    pin_netns(fd, path)
    os.close(fd)
    again = open_netns(path)
    assert os.fstat(again).st_ino == inside
    with pytest.raises(KernelError) as caught:
        pin_netns(again, path)
    assert caught.value.errno == errno.EEXIST
    os.close(again)
    unpin_netns(path)
    assert not path.exists()
    assert str(path) not in Path("/proc/self/mountinfo").read_text()
    unpin_netns(path)


def test_a_file_that_is_bound_twice_or_not_at_all_goes_too(tmp_path: Path) -> None:
    twice, plain = tmp_path / "twice", tmp_path / "plain"
    fd, _ = make_netns(_inode)
    pin_netns(fd, twice)
    mount(f"/proc/self/fd/{fd}", twice, flags=MountFlag.BIND)
    os.close(fd)
    plain.touch()
    for path in (twice, plain):
        unpin_netns(path)
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.parametrize("kind", ["file", "fifo", "missing", "link"])
def test_what_is_no_namespace_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "odd"
    if kind == "file":
        path.touch()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/proc/self/ns/uts/..")
    with pytest.raises(KernelError):
        open_netns(path)


def test_a_pin_never_goes_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    (tmp_path / "link").symlink_to(victim)
    fd, _ = make_netns(_inode)
    try:
        with pytest.raises(KernelError):
            pin_netns(fd, tmp_path / "link")
    finally:
        os.close(fd)
    assert victim.read_text() == "kept"
