"""A terminal of a devpts of the container's own."""

import errno
import os
from pathlib import Path

import pytest

from havre.kernel.libc import KernelError
from havre.kernel.mounts import MountFlag, mount, new_filesystem
from havre.kernel.namespaces import CLONE, unshare
from havre.kernel.pty import open_pty, pty_number
from tests.support.forked import in_child

pytestmark = pytest.mark.root


def test_the_peer_is_of_that_devpts() -> None:
    folder = new_filesystem("devpts", {"newinstance": None, "ptmxmode": "0666", "mode": "0620"})
    master, peer = open_pty(folder)
    try:
        assert pty_number(master) == 0
        assert os.stat("0", dir_fd=folder).st_ino == os.fstat(peer).st_ino
        assert os.fstat(folder).st_dev == os.fstat(peer).st_dev
    finally:
        for handle in (folder, master, peer):
            os.close(handle)


def test_a_false_ptmx_is_refused(tmp_path: Path) -> None:
    def body() -> None:
        unshare(CLONE.NEWNS)
        mount("none", "/", flags=MountFlag.REC | MountFlag.PRIVATE)
        mount("devpts", tmp_path, "devpts", data="newinstance,ptmxmode=0666")
        mount("/dev/null", tmp_path / "ptmx", flags=MountFlag.BIND)
        folder = os.open(tmp_path, os.O_PATH)
        with pytest.raises(KernelError, match="not the device 5:2") as caught:
            open_pty(folder)
        assert caught.value.errno == errno.ENODEV

    in_child(body)
