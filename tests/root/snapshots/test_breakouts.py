"""S-01: ways in which archives tried to leave their tree; the marker outside stays the same, whatever comes of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from havre.base.errors import InvalidInput
from tests.root.snapshots.conftest import Apply, Marker, Store, chain_of
from tests.support.tars import Entry, archive, file, folder, hardlink, long_name, symlink

pytestmark = pytest.mark.root

OUT = "@OUT@"  # the marker's absolute path
UP = "../" * 24


@dataclass
class Case:
    """*inside* are paths of the tree with their content, None for "absent"; *refused* when nothing may come of it."""

    name: str
    entries: list[Entry | bytes]
    inside: dict[str, bytes | None] = field(default_factory=dict)
    refused: bool = False


CASES = [
    # plain names
    Case("absolute name", [file(OUT + "/file", b"x")], {OUT + "/file": b"x"}),
    Case("name with ..", [file(UP + OUT + "/file", b"x")], refused=True),
    Case("name with .. inside", [folder("a"), file("a/../../b", b"x")], refused=True),
    Case("name that is ..", [file("..", b"x")], refused=True),
    Case("folder named ..", [folder("../", mode=0o777)], refused=True),
    Case("name of dots and slashes", [file(".//./a/.//b", b"x")], {"a/b": b"x"}),
    Case("root as a file", [file("/", b"x")], refused=False),
    Case("root as a link", [symlink("/.", OUT), file("file", b"x")], refused=True),
    Case("root as a hard link", [folder("a"), hardlink("./", "a")], refused=True),
    Case("root as a device", [Entry(b"./.", b"3", device=(1, 3))], refused=True),
    # links, then through them
    Case("write through an absolute link", [symlink("l", OUT), file("l/file", b"x")], {OUT + "/file": b"x"}),
    Case("write through a relative link", [symlink("l", UP + OUT), file("l/file", b"x")], {OUT + "/file": b"x"}),
    Case(
        "write through a link to the root", [symlink("l", "/"), file("l" + OUT + "/file", b"x")], {OUT + "/file": b"x"}
    ),
    Case("write through a link to ..", [symlink("l", ".."), file("l/file", b"x")], {"file": b"x"}),
    Case("write over a link", [symlink("file", OUT + "/file"), file("file", b"x")], {"file": b"x"}),
    Case("write over a dangling link", [symlink("n", OUT + "/new"), file("n", b"x")], {"n": b"x"}),
    Case(
        "chain of links",
        [symlink("a", "b/.."), symlink("b", "c"), symlink("c", UP + OUT), file("a/file", b"x"), file("c/file", b"y")],
    ),
    Case("loop of links", [symlink("a", "b"), symlink("b", "a"), file("a/x", b"x")], refused=True),
    Case("link to itself", [symlink("a", "a/a"), file("a/x", b"x")], refused=True),
    Case(
        "link in the middle",
        [folder("d"), symlink("d/l", UP + OUT), file("d/l/sub/file", b"x")],
        {OUT + "/sub/file": b"x"},
    ),
    Case("link to /proc", [symlink("p", "/proc/self/root"), file("p" + OUT + "/file", b"x")]),
    Case("link to a handle", [symlink("p", "/proc/self/fd/3"), file("p/file", b"x")]),
    # attributes through links
    Case("folder over a link", [symlink("l", OUT), folder("l", mode=0o777, uid=7)], {"l": None}),
    Case("folder attributes under a link", [symlink("l", OUT), folder("l/sub", mode=0o777, uid=7)]),
    Case("link put where a folder was", [folder("d", mode=0o777, uid=7), symlink("d", OUT), file("d/file", b"x")]),
    Case(
        "folder replaced by a link before its attributes come",
        [folder("d"), folder("d/sub", mode=0o777), symlink("d", OUT)],
    ),
    Case(
        "extended attributes through a link",
        [Entry(b"file", b"2", link=b"@OUT@/file", pax={b"SCHILY.xattr.user.x": b"y"})],
    ),
    # hard links
    Case("hard link out", [hardlink("h", OUT + "/file"), file("h", b"x")], refused=True),
    Case("hard link out with ..", [hardlink("h", UP + OUT + "/file"), file("h", b"x")], refused=True),
    Case("hard link through a link", [symlink("l", OUT), hardlink("h", "l/file"), file("h", b"x")], refused=True),
    Case(
        "hard link to a link, then written",
        [symlink("l", OUT + "/file"), hardlink("h", "l"), file("h", b"x")],
        {"h": b"x"},
    ),
    Case(
        "hard link to a link, then through it",
        [symlink("l", OUT), hardlink("h", "l"), file("h/file", b"x")],
        {OUT + "/file": b"x"},
    ),
    Case("hard link to a folder", [folder("d"), hardlink("h", "d")], refused=True),
    Case("hard link to itself", [file("a", b"x"), hardlink("a", "a")], {"a": b"x"}),
    Case("hard link to what comes later", [hardlink("h", "a"), file("a", b"x")], refused=True),
    Case("hard link to the root", [hardlink("h", "/")], refused=True),
    Case("hard link without a target", [hardlink("h", "")], refused=True),
    # names said twice
    Case("pax path out", [Entry(b"ok", b"0", b"x", pax={b"path": b"../@OUT@/file"})], refused=True),
    Case(
        "pax absolute path", [Entry(b"ok", b"0", b"x", pax={b"path": b"@OUT@/file"})], {OUT + "/file": b"x", "ok": None}
    ),
    Case("pax link out", [Entry(b"l", b"1", link=b"ok", pax={b"linkpath": b"@OUT@/file"})], refused=True),
    Case("GNU long name out", [long_name(b"L", b"../@OUT@/file"), file("ok", b"x")], refused=True),
    Case(
        "GNU long link out",
        [long_name(b"K", b"@OUT@"), symlink("l", "ok"), file("l/file", b"x")],
        {OUT + "/file": b"x"},
    ),
    Case("global path", [Entry(b"g", b"g", b"24 path=../../../tmp/out\n"), file("ok", b"x")], refused=True),
    Case("same name twice", [file("a", b"1"), file("a", b"2")], {"a": b"2"}),
    Case(
        "link replaced by a file, then through it",
        [folder("d"), symlink("l", "d"), file("l/a", b"1"), file("l", b"2"), file("l/b", b"3")],
        refused=True,
    ),
    Case(
        "link replaced by a folder, then through it",
        [folder("d"), symlink("l", "d"), file("l/a", b"1"), folder("l"), file("l/b", b"3")],
        {"d/a": b"1", "l/b": b"3", "d/b": None},
    ),
    Case("file under a file", [file("a", b"1"), file("a/b", b"2")], refused=True),
    Case("folder over a file", [file("a", b"1"), folder("a"), file("a/b", b"2")], {"a/b": b"2"}),
    Case("file over a full folder", [folder("a"), file("a/b", b"1"), file("a", b"2")], {"a": b"2"}),
    Case("file over a folder that holds links", [folder("a"), symlink("a/l", OUT), file("a", b"2")], {"a": b"2"}),
    Case("empty name", [Entry(b"", b"0", b"x")], refused=True),
    Case("device, then through it", [Entry(b"d", b"3", device=(1, 3)), file("d/x", b"x")], refused=True),
    Case("link without a target", [symlink("l", "")], refused=True),
]


def placed(entry: Entry | bytes, out: str) -> Entry | bytes:
    """The entry with the marker's path in it, by long names where it does not fit."""
    if isinstance(entry, bytes):
        return entry.replace(OUT.encode(), out.encode())
    mark, there = OUT.encode(), out.encode()
    pax = {key: value.replace(mark, there) for key, value in entry.pax.items()}
    path, link = entry.path.replace(mark, there), entry.link.replace(mark, there)
    if len(path) > 100:
        pax.setdefault(b"path", path)
    if len(link) > 100:
        pax.setdefault(b"linkpath", link)
    data = entry.data.replace(mark, there) if entry.kind in {b"L", b"K"} else entry.data
    return Entry(path, entry.kind, data, link, entry.mode, entry.uid, device=entry.device, pax=pax)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_nothing_leaves_the_tree(case: Case, apply: Apply, tree: Path, marker: Marker) -> None:
    out = str(marker.path)
    data = archive(*[placed(entry, out) for entry in case.entries])
    try:
        apply(data)
    except InvalidInput:
        assert case.refused or case.name == "root as a file", "refused"
        return
    assert not case.refused, "not refused"
    for path, content in case.inside.items():
        inside = tree / path.replace(OUT, out).lstrip("/")
        if content is None:
            assert not inside.exists() or inside.is_dir()
            assert not inside.is_symlink()
        else:
            assert not inside.is_symlink()
            assert inside.read_bytes() == content


@pytest.mark.parametrize("case", [case for case in CASES if case.refused], ids=lambda case: case.name)
def test_a_refused_layer_leaves_nothing_in_the_store(case: Case, store: Store, marker: Marker) -> None:
    data = archive(*[placed(entry, str(marker.path)) for entry in case.entries])
    with pytest.raises(InvalidInput):
        store.layer(data)
    assert os.listdir(store.root / "staging") == []
    assert os.listdir(store.root / "l") == []
    assert store.overlay.chains() == ()
    assert not store.overlay.has(chain_of(None, data))


def test_links_below_are_not_followed_out_of_them(store: Store, marker: Marker) -> None:
    """The lower layer holds the link, the upper goes through it."""
    out = str(marker.path)
    lower = archive(symlink("l", out), symlink("hardtarget", out + "/file"), folder("d", mode=0o711))
    upper = archive(
        file("l/file", b"x"),
        hardlink("h", "hardtarget"),
        file("d/undescribed", b"y"),
    )
    chain = store.stack(lower, upper)
    store.overlay.prepare("k", chain)
    with store.overlay.mounted("k") as root:
        assert os.readlink("h", dir_fd=root) == out + "/file"
        assert os.stat("d", dir_fd=root).st_mode & 0o7777 == 0o711
        handle = os.open("l/file", os.O_RDONLY, dir_fd=root)
        assert os.read(handle, 10) == b"x"
        os.close(handle)
    with pytest.raises(InvalidInput):
        store.stack(lower, archive(hardlink("h", "l/file")))
