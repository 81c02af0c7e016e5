import os
import stat
from pathlib import Path

import pytest

from havre.kernel.files import (
    PROC_MAGIC,
    SYSFS_MAGIC,
    filesystem_magic,
    is_device,
    is_sealed,
    make_node,
    sealed_memory,
    syncfs,
)
from havre.kernel.libc import KernelError


def test_file_systems_are_told_apart(tmp_path: Path) -> None:
    for path, magic in (("/proc", PROC_MAGIC), ("/sys", SYSFS_MAGIC)):
        handle = os.open(path, os.O_PATH)
        assert filesystem_magic(handle) == magic
        os.close(handle)
    with pytest.raises(KernelError, match="descriptor 999"):
        filesystem_magic(999)


def test_sealed_memory_cannot_change() -> None:
    handle = sealed_memory("test", b"content")
    try:
        assert is_sealed(handle)
        assert not os.get_inheritable(handle)
        assert os.pread(handle, 99, 0) == b"content"
        for change in (lambda: os.pwrite(handle, b"x", 0), lambda: os.ftruncate(handle, 0)):
            with pytest.raises(PermissionError):
                change()
    finally:
        os.close(handle)


def test_other_files_are_not_sealed(tmp_path: Path) -> None:
    for handle in (os.open(tmp_path, os.O_RDONLY), os.memfd_create("open")):
        assert not is_sealed(handle)
        os.close(handle)


def test_syncfs(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    syncfs(handle)
    os.close(handle)
    with pytest.raises(KernelError, match="syncfs"):
        syncfs(handle)


def test_a_fifo_needs_no_rights(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_PATH)
    old = os.umask(0o077)
    try:
        make_node(folder, "fifo", "p", (0, 0), 0o666)
        assert (tmp_path / "fifo").stat().st_mode == stat.S_IFIFO | 0o666
        with pytest.raises(KernelError, match="fifo"):
            make_node(folder, "fifo", "p", (0, 0), 0o666)
    finally:
        os.umask(old)
        os.close(folder)


def test_devices_are_known_by_number() -> None:
    handle = os.open("/dev/null", os.O_PATH)
    assert is_device(handle, "c", (1, 3))
    assert not is_device(handle, "c", (1, 5))
    assert not is_device(handle, "b", (1, 3))
    os.close(handle)
