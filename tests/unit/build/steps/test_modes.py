"""--chmod in all its forms."""

from __future__ import annotations

import stat

import pytest

from havre.build.model import BuildFailed
from havre.build.steps.modes import parse_mode


def changed(text: str, mode: int) -> str:
    change = parse_mode(text)
    assert change is not None
    return oct(change(mode))


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("755", 0o600, "0o755"),
        ("0644", 0o777, "0o644"),
        ("4755", 0o600, "0o4755"),
        ("u+x", 0o644, "0o744"),
        ("+x", 0o644, "0o755"),
        ("a-w", 0o666, "0o444"),
        ("go=", 0o777, "0o700"),
        ("u=rwx,g=rx,o=", 0o000, "0o750"),
        ("g=u", 0o740, "0o770"),
        ("o+g", 0o750, "0o755"),
        ("u+s", 0o755, "0o4755"),
        ("g+s,+t", 0o755, "0o3755"),
        ("u+x-w", 0o600, "0o500"),
    ],
)
def test_modes(text: str, before: int, after: str) -> None:
    assert changed(text, stat.S_IFREG | before) == after


def test_capital_x_is_for_folders_and_programs() -> None:
    assert changed("a+X", stat.S_IFREG | 0o644) == "0o644"
    assert changed("a+X", stat.S_IFREG | 0o744) == "0o755"
    assert changed("a+X", stat.S_IFDIR | 0o644) == "0o755"


@pytest.mark.parametrize("text", ["999", "77777", "x+u", "u~x", "u+", "rwx", "+q", "-1"])
def test_what_is_no_mode(text: str) -> None:
    if text == "u+":
        assert changed(text, stat.S_IFREG | 0o644) == "0o644"
        return
    with pytest.raises(BuildFailed, match="invalid chmod parameter"):
        parse_mode(text)


def test_nothing_asked_for() -> None:
    assert parse_mode("") is None
