"""Docker's rules of `cp`, one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from havre.cli.copy_rules import End, local_source, local_target, plan, split_argument
from havre.client.errors import ClientError


@pytest.mark.parametrize(
    ("text", "both"),
    [
        ("c1:/a", ("c1", "/a")),
        ("c1:", ("c1", "")),
        ("/a:b", ("", "/a:b")),
        ("./a:b", ("", "./a:b")),
        ("a", ("", "a")),
        ("-", ("", "-")),
    ],
)
def test_which_arguments_name_a_container(text: str, both: tuple[str, str]) -> None:
    assert split_argument(text) == both


@pytest.mark.parametrize(
    ("source", "target", "planned"),
    [
        (End("/s/f", exists=True), End("/t", exists=True, is_dir=True), ("/t", "f", "f")),
        (End("/s/f", exists=True), End("/t/g"), ("/t", "f", "g")),
        (End("/s/f", exists=True), End("/t/g", exists=True), ("/t", "f", "g")),
        (End("/s/d", exists=True, is_dir=True), End("/t/new"), ("/t", "d", "new")),
        (End("/s/d/.", exists=True, is_dir=True), End("/t/new"), ("/t", ".", "new")),
        (End("/s/d/.", exists=True, is_dir=True), End("/t", exists=True, is_dir=True), ("/t", ".", ".")),
        (End("/s/d", exists=True, rename="l"), End("/t", exists=True, is_dir=True), ("/t", "l", "l")),
    ],
)
def test_where_a_copy_goes_and_what_it_is_called(source: End, target: End, planned: tuple[str, str, str]) -> None:
    assert plan(source, target) == planned


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        (End("/d", exists=True, is_dir=True), End("/t/f", exists=True), "cannot copy directory"),
        (End("/f", exists=True), End("/t/none/"), "no such directory"),
    ],
)
def test_what_cannot_be_copied(source: End, target: End, words: str) -> None:
    with pytest.raises(ClientError, match=words):
        plan(source, target)


def test_local_ends(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "link").symlink_to("d")
    assert local_source(f"{tmp_path}/link", follow=False).is_dir is False
    followed = local_source(f"{tmp_path}/link", follow=True)
    assert (followed.path, followed.rename, followed.is_dir) == (f"{tmp_path}/d", "link", True)
    assert local_target(f"{tmp_path}/link").is_dir
    assert not local_target(f"{tmp_path}/new").exists
    with pytest.raises(ClientError):
        local_source(f"{tmp_path}/none", follow=False)
    with pytest.raises(ClientError, match="does not exist"):
        local_target(f"{tmp_path}/no/x")
