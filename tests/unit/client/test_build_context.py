"""What of a folder is sent to the builder."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from havre.client.build_context import find_dockerfile, pack_context, pack_folder
from havre.client.errors import ClientError
from havre.client.tar_out import gathered, member


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "context"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "Dockerfile").write_text("FROM scratch\n")
    for name in ("a.txt", "b.txt", "sub/c.txt", "sub/deep/d.txt"):
        (root / name).write_text(name)
    (root / "link").symlink_to("a.txt")
    return root


def sent(folder: Path, dockerfile: str = "") -> dict[str, tarfile.TarInfo]:
    raw = b"".join(gathered(pack_context(str(folder), find_dockerfile(str(folder), dockerfile))))
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        return {member.name: member for member in archive}


def test_everything_without_rules(folder: Path) -> None:
    assert sorted(sent(folder)) == [
        "Dockerfile", "a.txt", "b.txt", "link", "sub", "sub/c.txt", "sub/deep", "sub/deep/d.txt",
    ]  # fmt: skip


def test_owners_stay_home(folder: Path) -> None:
    os.chown(folder / "a.txt", 1234, 1235)
    member = sent(folder)["a.txt"]
    assert (member.uid, member.gid, member.mode) == (0, 0, 0o644)


def test_what_is_ignored_is_not_read(folder: Path) -> None:
    (folder / ".dockerignore").write_text("*.txt\n!b.txt\nsub\n")
    os.mkfifo(folder / "sub" / "fifo")
    assert sorted(sent(folder)) == [".dockerignore", "Dockerfile", "b.txt", "link"]


def test_an_exception_inside_an_ignored_folder(folder: Path) -> None:
    (folder / ".dockerignore").write_text("sub\n!sub/deep/d.txt\n")
    assert "sub/deep/d.txt" in sent(folder)
    assert "sub/c.txt" not in sent(folder)


def test_the_dockerfile_and_the_rules_are_sent_though_they_are_ignored(folder: Path) -> None:
    (folder / ".dockerignore").write_text("*\n")
    assert sorted(sent(folder)) == [".dockerignore", "Dockerfile"]


def test_rules_of_one_dockerfile_go_first(folder: Path) -> None:
    (folder / "sub" / "My.Dockerfile").write_text("FROM scratch\n")
    (folder / "sub" / "My.Dockerfile.dockerignore").write_text("a.txt\n")
    (folder / ".dockerignore").write_text("b.txt\n")
    names = sent(folder, str(folder / "sub" / "My.Dockerfile"))
    assert "b.txt" in names
    assert "a.txt" not in names


def test_a_dockerfile_from_elsewhere_is_added(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "Other").write_text("FROM busybox\n")
    found = find_dockerfile(str(folder), str(tmp_path / "Other"))
    assert found.added
    raw = b"".join(gathered(pack_context(str(folder), found)))
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        member = archive.extractfile(found.name)
        assert member is not None
        assert member.read() == b"FROM busybox\n"


def test_a_dockerfile_in_lower_case(folder: Path) -> None:
    (folder / "Dockerfile").rename(folder / "dockerfile")
    assert find_dockerfile(str(folder), "").name == "dockerfile"


def test_a_folder_of_a_named_context(folder: Path) -> None:
    (folder / ".dockerignore").write_text("sub\n")
    raw = b"".join(gathered(pack_folder(str(folder), ".context.x")))
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        names = archive.getnames()
    assert names[0] == ".context.x"
    assert ".context.x/a.txt" in names
    assert not any("sub" in name for name in names)


@pytest.mark.parametrize(("place", "wanted"), [("/nowhere", ""), ("", "missing")])
def test_what_is_missing(folder: Path, place: str, wanted: str) -> None:
    with pytest.raises(ClientError, match="unable to prepare context"):
        find_dockerfile(place or str(folder), wanted)


def test_bad_rules(folder: Path) -> None:
    (folder / ".dockerignore").write_text("[\n")
    with pytest.raises(ClientError, match=r"\.dockerignore"):
        sent(folder)


def test_a_file_that_changes_while_it_is_sent(tmp_path: Path) -> None:
    """What grows is cut at the size that was promised; half a file never passes for a whole one."""
    path = tmp_path / "f"
    for after, fails in ((b"x" * 20, False), (b"x", True)):
        path.write_bytes(b"x" * 10)
        pieces = member(bytes(path), b"f", path.stat(), {})
        header = next(pieces)
        path.write_bytes(after)
        if fails:
            with pytest.raises(ClientError, match="became shorter"):
                list(pieces)
        else:
            assert len(header + b"".join(pieces)) == 1024
