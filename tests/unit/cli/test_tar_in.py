"""An archive from a daemon stays in the folder it is extracted into (security.md, I-08)."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from havre.cli.tar_in import Stream, unpack
from havre.client.errors import ClientError
from havre.client.tar_out import pack


def archive(*members: tuple[str, bytes, str, bytes]) -> list[bytes]:
    """Members as (name, type, link, data)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, kind, link, data in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, link, len(data)
            made.addfile(member, io.BytesIO(data))
    whole = buffer.getvalue()
    return [whole[at : at + 700] for at in range(0, len(whole), 700)]


@pytest.mark.parametrize(
    "members",
    [
        [("../out", tarfile.REGTYPE, "", b"x")],
        [("a/../../out", tarfile.REGTYPE, "", b"x")],
        [("link", tarfile.SYMTYPE, "..", b""), ("link/out", tarfile.REGTYPE, "", b"x")],
        [("hard", tarfile.LNKTYPE, "../secret", b"")],
        [("link", tarfile.SYMTYPE, "..", b""), ("hard", tarfile.LNKTYPE, "link/secret", b"")],
        [("link", tarfile.SYMTYPE, "..", b""), ("link", tarfile.DIRTYPE, "", b"")],
    ],
)
def test_nothing_leaves_the_folder(tmp_path: Path, members: list[tuple[str, bytes, str, bytes]]) -> None:
    (tmp_path / "secret").write_text("mine")
    target = tmp_path / "in"
    target.mkdir()
    with pytest.raises(ClientError):
        unpack(Stream(archive(*members)), str(target), "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "secret"]
    assert (tmp_path / "secret").stat().st_nlink == 1


def test_a_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    target = tmp_path / "in"
    target.mkdir()
    members = (("link", tarfile.SYMTYPE, "../secret", b""), ("link", tarfile.REGTYPE, "", b"x"))
    unpack(Stream(archive(*members)), str(target), "", "")
    assert (tmp_path / "secret").read_text() == "mine"
    assert (target / "link").read_text() == "x"


def test_a_cut_archive_is_told(tmp_path: Path) -> None:
    whole = b"".join(archive(("a", tarfile.REGTYPE, "", b"x" * 3000)))
    with pytest.raises(ClientError, match="unexpected EOF"):
        unpack(Stream([whole[:2000]]), str(tmp_path), "", "")


def test_what_is_packed_is_unpacked_the_same(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / ("deep" * 30)).mkdir(parents=True)
    target.mkdir()
    (source / ("deep" * 30) / "näme").write_bytes(b"data" * 1000)
    (source / "hard").hardlink_to(source / ("deep" * 30) / "näme")
    (source / "link").symlink_to("x" * 200)
    unpack(Stream(pack(str(source), "old")), str(target), "old", "new")
    made = target / "new"
    assert (made / ("deep" * 30) / "näme").read_bytes() == b"data" * 1000
    assert (made / "hard").samefile(made / ("deep" * 30) / "näme")
    assert str((made / "link").readlink()) == "x" * 200


def test_other_programs_read_what_is_packed(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 600)
    with tarfile.open(fileobj=io.BytesIO(b"".join(pack(str(tmp_path / "f"), "g")))) as made:
        assert [(one.name, one.size) for one in made] == [("g", 600)]
