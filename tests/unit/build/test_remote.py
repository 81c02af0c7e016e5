"""What may be fetched, and what a fetched file is called."""

from __future__ import annotations

import pytest

from havre.build.model import BuildFailed
from havre.build.remote import fetch, name_of


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("http://h/a/b.txt", "b.txt"),
        ("http://h/b.txt?x=/y", "b.txt"),
        ("http://h/a%2Fb", "b"),
        ("http://h/..%2f..%2fetc%2fpasswd", "passwd"),
        ("http://h/", "download"),
        ("http://h", "download"),
        ("http://h/a/..", "download"),
    ],
)
def test_names_are_one_component(address: str, name: str) -> None:
    assert name_of(address, needed=False) == name


def test_a_folder_needs_a_name() -> None:
    with pytest.raises(BuildFailed, match="cannot determine filename"):
        name_of("http://h/", needed=True)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://127.0.0.1:1/x"])
def test_nothing_but_the_web(address: str, tmp_path: object) -> None:
    from pathlib import Path

    with pytest.raises(BuildFailed, match="failed to GET"):
        fetch(address, Path(str(tmp_path)) / "x")
    assert not list(Path(str(tmp_path)).iterdir())
