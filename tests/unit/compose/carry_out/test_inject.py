"""The archive of a secret."""

from __future__ import annotations

import io
import tarfile

import pytest

from havre.compose.carry_out.inject import tar_of_one
from havre.compose.errors import ComposeError


def test_one_file() -> None:
    archive = tar_of_one("/run/secrets/x", b"top", 0o440, (103, 104))
    with tarfile.open(fileobj=io.BytesIO(archive)) as read:
        (member,) = read.getmembers()
        assert (member.name, member.mode, member.uid, member.gid) == ("run/secrets/x", 0o440, 103, 104)
        content = read.extractfile(member)
        assert content is not None
        assert content.read() == b"top"


def test_a_path_that_is_too_long() -> None:
    with pytest.raises(ComposeError, match="longer than 100 bytes"):
        tar_of_one("/" + "x" * 101, b"", 0, (0, 0))
