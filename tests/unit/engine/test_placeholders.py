"""The engine's own files in a container's root, and what of them no user is to see."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from havre.engine.placeholders import is_placeholder, placeholders_on, put_files


def made(tmp_path: Path, *layers: Path) -> Path:
    upper = tmp_path / "upper"
    upper.mkdir()
    put_files(str(upper), [str(layer) for layer in layers])
    assert (upper / ".dockerenv").read_bytes() == b""
    return upper


def layer(tmp_path: Path, name: str) -> Path:
    made = tmp_path / name
    (made / "etc").mkdir(parents=True)
    return made


def test_mtab_beside_an_etc_that_looks_as_the_images(tmp_path: Path) -> None:
    top = layer(tmp_path, "top")
    (top / "etc").chmod(0o711)
    os.utime(top / "etc", (5, 7))
    upper = made(tmp_path, top, layer(tmp_path, "below"))
    assert os.readlink(upper / "etc" / "mtab") == "/proc/mounts"
    status = (upper / "etc").stat()
    assert (status.st_mode & 0o7777, status.st_mtime) == (0o711, 7)


def test_an_image_without_etc_gets_one(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert (made(tmp_path, tmp_path / "empty") / "etc" / "mtab").is_symlink()


@pytest.mark.parametrize("where", ["top", "below"])
def test_an_images_own_mtab_stays(tmp_path: Path, where: str) -> None:
    layers = [layer(tmp_path, "top"), layer(tmp_path, "below")]
    (tmp_path / where / "etc" / "mtab").write_text("its own")
    assert os.listdir(made(tmp_path, *layers)) == [".dockerenv"]


def test_an_etc_that_is_a_link_or_a_file_stays(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    top = tmp_path / "top"
    top.mkdir()
    (top / "etc").symlink_to(tmp_path / "outside")
    assert os.listdir(made(tmp_path, top)) == [".dockerenv"]
    assert os.listdir(tmp_path / "outside") == []


def test_a_link_of_the_users_is_no_placeholder(tmp_path: Path) -> None:
    (tmp_path / "mtab").symlink_to("/elsewhere")
    (tmp_path / "own").symlink_to("/proc/mounts")
    assert not is_placeholder(b"etc/mtab", (tmp_path / "mtab").lstat())
    assert is_placeholder(b"etc/mtab", (tmp_path / "own").lstat())


def test_a_folder_counts_while_it_looks_as_below(tmp_path: Path) -> None:
    below = layer(tmp_path, "below")
    own = layer(tmp_path, "own")
    handle = os.open(below, os.O_RDONLY)
    try:
        is_one = placeholders_on(handle)
        assert is_one(b"etc", (own / "etc").lstat())
        assert is_one(b"dev", (own / "etc").lstat())  # which the image does not have
        (own / "etc").chmod(0o700)
        assert not is_one(b"etc", (own / "etc").lstat())
    finally:
        os.close(handle)
