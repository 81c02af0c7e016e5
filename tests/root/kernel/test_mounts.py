"""Every mount call, each test in a mount namespace of its own."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from havre.kernel.files import OVERLAY_MAGIC, TMPFS_MAGIC, filesystem_magic, make_node
from havre.kernel.libc import KernelError
from havre.kernel.mounts import (
    AT_FDCWD,
    AT_RECURSIVE,
    OPEN_TREE_CLONE,
    UMOUNT_DETACH,
    FsConfig,
    MountAttr,
    MountFlag,
    fsconfig,
    fsmount,
    fsopen,
    fspick,
    mount,
    mount_setattr,
    move_mount,
    new_filesystem,
    open_tree,
    pivot_root,
    umount,
)
from havre.kernel.namespaces import CLONE, unshare
from tests.support.forked import in_child

pytestmark = pytest.mark.root


def in_mount_namespace(body: Callable[[], None]) -> None:
    def inside() -> None:
        unshare(CLONE.NEWNS)
        mount("none", "/", flags=MountFlag.REC | MountFlag.PRIVATE)
        body()

    in_child(inside)


def test_mount_bind_remount_and_umount(tmp_path: Path) -> None:
    def body() -> None:
        mount("tmpfs", tmp_path, "tmpfs", MountFlag.NOSUID | MountFlag.NODEV, "size=64k,mode=700")
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        (tmp_path / "a/file").write_text("x")
        mount(tmp_path / "a", tmp_path / "b", flags=MountFlag.BIND)
        mount("", tmp_path / "b", flags=MountFlag.BIND | MountFlag.REMOUNT | MountFlag.RDONLY)
        assert (tmp_path / "b/file").read_text() == "x"
        with pytest.raises(OSError) as caught:
            (tmp_path / "b/file").write_text("y")
        assert caught.value.errno == errno.EROFS
        umount(tmp_path / "b")
        assert not (tmp_path / "b/file").exists()
        with pytest.raises(KernelError, match=f"umount {tmp_path}/b") as refused:
            umount(tmp_path / "b")
        assert refused.value.errno == errno.EINVAL

    in_mount_namespace(body)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_mount_tells_what_was_tried(tmp_path: Path) -> None:
    def body() -> None:
        with pytest.raises(
            KernelError, match=f"mount overlay ov on {tmp_path} .lowerdir=/nowhere:/nowhere.: No such file"
        ):
            mount("ov", tmp_path, "overlay", data="lowerdir=/nowhere:/nowhere")
        with pytest.raises(KernelError, match=r"mount .*BIND.* /nowhere on "):
            mount("/nowhere", tmp_path, flags=MountFlag.BIND)

    in_mount_namespace(body)


def test_pivot_root_leaves_the_old_one(tmp_path: Path) -> None:
    def body() -> None:
        mount("tmpfs", tmp_path, "tmpfs")
        (tmp_path / "marker").write_text("new root")
        os.chdir(tmp_path)
        pivot_root(".", ".")
        umount(".", UMOUNT_DETACH)
        os.chdir("/")
        assert os.listdir("/") == ["marker"]

    in_mount_namespace(body)


def test_overlay_by_descriptors(tmp_path: Path) -> None:
    for name in ("low1", "low2", "up", "work", "at"):
        (tmp_path / name).mkdir()
    (tmp_path / "low1/one").write_text("1")
    (tmp_path / "low2/two").write_text("2")

    def body() -> None:
        context = fsopen("overlay")
        assert not os.get_inheritable(context)
        fsconfig(context, FsConfig.SET_STRING, "lowerdir", f"{tmp_path}/low1:{tmp_path}/low2")
        fsconfig(context, FsConfig.SET_STRING, "upperdir", tmp_path / "up")
        fsconfig(context, FsConfig.SET_STRING, "workdir", tmp_path / "work")
        fsconfig(context, FsConfig.CREATE)
        tree = fsmount(context, MountAttr.NODEV)
        assert not os.get_inheritable(tree)
        assert filesystem_magic(tree) == OVERLAY_MAGIC
        move_mount(tree, AT_FDCWD, str(tmp_path / "at"))
        assert sorted(os.listdir(tmp_path / "at")) == ["one", "two"]
        (tmp_path / "at/three").write_text("3")

    in_mount_namespace(body)
    assert (tmp_path / "up/three").read_text() == "3"
    assert os.listdir(tmp_path / "at") == []


def test_the_file_systems_own_words_are_told() -> None:
    with pytest.raises(KernelError, match=r"fsconfig no_such=1: Invalid argument \(.*no_such"):
        new_filesystem("tmpfs", {"no_such": "1"})
    with pytest.raises(KernelError, match="fsopen nofs"):
        fsopen("nofs")


def test_a_new_file_system_tells_its_kind_as_its_source(tmp_path: Path) -> None:
    def body() -> None:
        for kind in ("tmpfs", "proc"):
            move_mount(new_filesystem(kind, {}), AT_FDCWD, tmp_path)
            shown = Path("/proc/mounts").read_text().splitlines()
            line = next(line for line in shown if f" {tmp_path} {kind} " in line)
            assert line.startswith(f"{kind} ")

    in_mount_namespace(body)


def test_trees_are_cloned_and_attached_by_handle(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/file").write_text("x")
    (tmp_path / "target").mkdir()

    def body() -> None:
        tree = open_tree(AT_FDCWD, tmp_path / "source", OPEN_TREE_CLONE | AT_RECURSIVE)
        assert not os.get_inheritable(tree)
        mount_setattr(tree, set_=MountAttr.RDONLY | MountAttr.NOATIME, recursive=True)
        mount_setattr(tree, propagation=MountFlag.PRIVATE)
        target = os.open(tmp_path / "target", os.O_PATH)
        move_mount(tree, target)
        with pytest.raises(OSError) as caught:
            (tmp_path / "target/file").write_text("y")
        assert caught.value.errno == errno.EROFS
        mount_setattr(tree, clear=MountAttr.RDONLY)
        (tmp_path / "target/file").write_text("y")
        with pytest.raises(KernelError, match="mount_setattr"):
            mount_setattr(target, set_=1 << 40)

    in_mount_namespace(body)
    assert (tmp_path / "source/file").read_text() == "y"


def test_a_mounted_file_system_is_reconfigured(tmp_path: Path) -> None:
    def body() -> None:
        tree = new_filesystem("tmpfs", {"size": "64k"})
        assert filesystem_magic(tree) == TMPFS_MAGIC
        move_mount(tree, AT_FDCWD, str(tmp_path))
        context = fspick(AT_FDCWD, tmp_path)
        assert not os.get_inheritable(context)
        fsconfig(context, FsConfig.SET_FLAG, "ro")
        fsconfig(context, FsConfig.RECONFIGURE)
        assert os.statvfs(tmp_path).f_flag & os.ST_RDONLY

    in_mount_namespace(body)


def test_device_nodes_have_exactly_their_mode(tmp_path: Path) -> None:
    def body() -> None:
        mount("tmpfs", tmp_path, "tmpfs")
        folder = os.open(tmp_path, os.O_PATH)
        os.umask(0o077)
        make_node(folder, "null", "c", (1, 3), 0o666)
        status = (tmp_path / "null").stat()
        assert (status.st_mode & 0o7777, status.st_rdev) == (0o666, os.makedev(1, 3))
        (tmp_path / "link").symlink_to("/dev/null")
        with pytest.raises(KernelError, match="mknod link c 1:3") as caught:
            make_node(folder, "link", "c", (1, 3), 0o666)
        assert caught.value.errno == errno.EEXIST

    in_mount_namespace(body)
