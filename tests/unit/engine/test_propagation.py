"""Which mounts cross between host and container, and what the host's mounts let through."""

from __future__ import annotations

from pathlib import Path

import pytest

from havre.base.errors import InternalError
from havre.engine import propagation
from havre.engine.model import BindMount, TmpfsMount
from havre.engine.propagation import check_propagation, crossing_mounts, mount_below

TABLE = """\
1 0 8:1 / / rw - ext4 /dev/a rw
2 1 8:2 / /s rw shared:7 - ext4 /dev/b rw
3 1 8:3 / /m rw master:7 - ext4 /dev/b rw
4 1 8:4 / /two\\040words rw shared:1 master:2 propagate_from:3 - tmpfs none rw
5 1 8:5 / /on-top rw shared:9 - tmpfs none rw
6 5 8:6 / /on-top rw - tmpfs none rw
"""


def bind(source: str, kind: str) -> BindMount:
    return BindMount(source=source, destination="/x", propagation=kind)


@pytest.mark.parametrize(
    ("path", "point", "tags"),
    [
        ("/", "/", set()),
        ("/sum/thing", "/", set()),
        ("/s", "/s", {"shared"}),
        ("/s/deep/er", "/s", {"shared"}),
        ("/m/x", "/m", {"master"}),
        ("/two words/x", "/two words", {"shared", "master", "propagate_from"}),
        ("/on-top/x", "/on-top", set()),
    ],
)
def test_the_mount_below_a_path(path: str, point: str, tags: set[str]) -> None:
    assert mount_below(path, TABLE) == (point, frozenset(tags))


def test_only_binds_that_are_not_private_cross() -> None:
    kept = [bind("/a", "rslave"), bind("/b", "shared")]
    assert crossing_mounts([bind("/c", "rprivate"), *kept, bind("/d", "private"), TmpfsMount(destination="/t")]) == kept


@pytest.mark.parametrize(
    ("source", "kind", "wrong"),
    [
        ("/s/x", "rshared", ""),
        ("/s/x", "slave", ""),
        ("/m/x", "rslave", ""),
        ("/m/x", "shared", "path /m/x is mounted on /m but it is not a shared mount"),
        ("/q", "rshared", "path /q is mounted on / but it is not a shared mount"),
        ("/q", "rslave", "path /q is mounted on / but it is not a shared or slave mount"),
    ],
)
def test_what_the_host_keeps_to_itself_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, kind: str, wrong: str
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    monkeypatch.setattr(propagation, "_MOUNTS", table)
    if not wrong:
        return check_propagation([bind(source, kind)])
    with pytest.raises(InternalError) as told:
        check_propagation([bind(source, kind)])
    assert told.value.message == wrong
    return None
