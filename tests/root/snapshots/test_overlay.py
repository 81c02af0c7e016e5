"""The store on disk: what a restart finds, short links, many layers, and nothing mounted on the host."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from havre.base.errors import InvalidInput
from havre.content.errors import DamagedBlob
from havre.content.store import Content
from havre.kernel import files
from havre.snapshots import sealing
from havre.snapshots.budget import BadArchive
from havre.snapshots.compression import Decompressed
from havre.snapshots.contract import View
from havre.snapshots.overlay import Overlay
from tests.root.snapshots.conftest import Store, chain_of
from tests.support.tars import archive, file, folder

pytestmark = pytest.mark.root

BASE = archive(folder("./", mode=0o751, uid=3, gid=4), folder("d"), file("d/a", b"1"))


def reopened(store: Store) -> Overlay:
    store.overlay.close()
    again = Overlay(store.root)
    again.sweep()
    again.close()
    return again


def test_a_restart_finds_everything(store: Store) -> None:
    chain = store.stack(BASE, archive(file("b", b"2")))
    store.overlay.prepare("k", chain)
    store.overlay.prepare("bare", None)
    with store.overlay.mounted("k", View.WRITABLE) as root:
        os.mkdir("mine", dir_fd=root)
    again = reopened(store)
    assert set(again.chains()) == set(store.overlay.chains())
    assert set(again.keys()) == {"k", "bare"}
    assert again.mounts("k") == store.overlay.mounts("k")
    with again.mounted("k") as root:
        assert sorted(os.listdir(root)) == ["b", "d", "mine"]


def test_a_sweep_removes_garbage_and_nothing_else(store: Store) -> None:
    chain = store.stack(BASE)
    store.overlay.prepare("k", chain)
    before = sorted(os.listdir(store.root))
    (store.root / "half" / "diff").mkdir(parents=True)
    (store.root / "half" / "diff" / "file").touch()
    (store.root / "staging" / "x" / "diff").mkdir(parents=True)
    (store.root / "trash" / "y").mkdir()
    (store.root / "l" / "STALE").symlink_to("../nothing/diff")
    link = store.overlay.chains()[0].link
    (store.root / "l" / link).unlink()
    again = reopened(store)
    assert sorted(os.listdir(store.root)) == before
    assert os.listdir(store.root / "staging") == os.listdir(store.root / "trash") == []
    assert os.listdir(store.root / "l") == [link]
    with again.mounted("k") as root:
        assert os.listdir(root) == ["d"]


def test_a_damaged_record_is_set_aside_and_the_rest_works(store: Store) -> None:
    other = store.layer(archive(file("other", b"o")))
    chain = store.stack(BASE)
    (store.root / chain.value / "record.json").write_bytes(b"{}")
    again = reopened(store)
    assert [layer.chain for layer in again.chains()] == [other.chain]
    assert len(os.listdir(store.root / "lost+found")) == 1
    again.unpack(chain, None, io.BytesIO(BASE))
    assert again.has(chain)


def test_an_unsealed_folder_is_not_believed(store: Store) -> None:
    chain = store.stack(BASE)
    (store.root / chain.value / "record.json").unlink()
    again = Overlay(store.root)
    assert not again.has(chain)
    again.unpack(chain, None, io.BytesIO(BASE))  # replaces what stands there
    assert again.has(chain)
    again.close()


def test_the_upper_root_looks_as_the_topmost_described_root(store: Store) -> None:
    plain, described = archive(file("x")), archive(folder("./", mode=0o1700, uid=9))
    for key, archives, wanted in (
        ("a", (BASE,), (0o751, 3, 4)),
        ("b", (BASE, plain), (0o751, 3, 4)),
        ("c", (BASE, plain, described), (0o1700, 9, 0)),
        ("d", (plain,), (0o755, 0, 0)),
    ):
        store.overlay.prepare(key, store.stack(*archives))
        status = (store.root / key / "diff").stat()
        assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == wanted


def test_mount_options_of_a_hundred_layers_fit_a_page(tmp_path: Path) -> None:
    """As for the default data root: 24 bytes of path."""
    overlay = Overlay(tmp_path / "overlay2")
    store = Store(overlay, tmp_path / "overlay2")
    chain = store.stack(*[archive(file(f"f{n}", b"%d" % n)) for n in range(127)])
    mount = overlay.prepare("k" * 64, chain)[0]
    assert mount.type == "overlay"
    text = ",".join(mount.options or [])
    assert text.count(f"{tmp_path}/overlay2/l/") == 127
    shortened = text.replace(str(tmp_path), "/var/lib/havre")
    assert len(shortened) < 4096 + 12 * 33  # 115 layers of 33 bytes
    with overlay.mounted("k" * 64) as root:
        assert len(os.listdir(root)) == 127
    with overlay.mounted("k" * 64, View.WRITABLE) as root:
        os.mkdir("x", dir_fd=root)
    overlay.close()


def test_the_mount_works_by_mount_2_in_another_namespace(store: Store) -> None:
    chain = store.stack(BASE, archive(file("b", b"2")))
    mount = store.overlay.prepare("k", chain)[0]
    target = store.overlay.target("k")
    script = (
        f"mount -t overlay overlay -o {','.join(mount.options or [])} {target} && cat {target}/b && "
        f"echo new > {target}/c && rm {target}/d/a && stat -c %a:%u:%g {target}"
    )
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "2751:3:4\n"
    assert sorted(os.listdir(store.overlay.diff_path("k"))) == ["c", "d"]
    assert os.listdir(target) == []


def test_views_are_readable_while_the_tree_is_mounted(store: Store) -> None:
    chain = store.stack(BASE)
    store.overlay.prepare("k", chain)
    with store.overlay.mounted("k", View.WRITABLE) as writing:
        os.mkdir("x", dir_fd=writing)
        with store.overlay.mounted("k") as root, store.overlay.mounted("k", View.OWN) as own:
            assert sorted(os.listdir(root)) == ["d", "x"]
            assert os.listdir(own) == ["x"]


@pytest.mark.parametrize("name", ["a:b", "a,b", "a\\b"])
def test_a_root_that_mount_options_cannot_say_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput):
        Overlay(tmp_path / name)


def test_discarded_trees_go_behind(store: Store) -> None:
    store.overlay.prepare("k", store.stack(BASE))
    with store.overlay.mounted("k", View.WRITABLE) as root:
        for number in range(300):
            os.mkdir(f"d{number}", dir_fd=root)
    store.overlay.discard("k")
    assert not (store.root / "k").exists()
    store.overlay.close()
    assert os.listdir(store.root / "trash") == []


# -- S-07: killed at every step of an unpacking

KILLED = archive(
    folder("d", mode=0o711),
    file("d/a", os.urandom(3000)),
    file("d/b", b"x", uid=5),
    file(".wh.gone"),
    file("undescribed/c", b"c"),
)
CHILD = """
import io, os, signal, sys
from pathlib import Path
from havre.oci.digest import Digest
import havre.snapshots.overlay as overlay
import havre.snapshots.sealing as sealing

root, chain, parent, step = sys.argv[1:4] + [int(sys.argv[4])]
data = sys.stdin.buffer.read()
store = overlay.Overlay(Path(root))
left = step

def count() -> None:
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1

WATCHED = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.chown",
           "os.utime", "os.setxattr", "os.mknod"}
sys.addaudithook(lambda event, args: count() if event in WATCHED else None)
for module, name in ((os, "fsync"), (sealing, "syncfs")):
    real = getattr(module, name)
    def watched(handle, real=real):
        count()
        real(handle)
        count()
    setattr(module, name, watched)
store.unpack(Digest.parse(chain), Digest.parse(parent), io.BytesIO(data))
store.sealing.flush()
print("sealed after", step - left)
"""


def test_killed_at_any_step_a_layer_is_whole_or_absent(store: Store) -> None:
    parent = store.layer(archive(file("gone", b"g"), folder("undescribed", mode=0o700))).chain
    store.overlay.close()
    chain = chain_of(parent, KILLED)
    seen = {False: 0, True: 0}
    for step in range(1000):
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(store.root), str(chain), str(parent), str(step)],
            input=KILLED,
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONPATH": "src"},
            cwd=Path(__file__).parents[3],
        )
        overlay = Overlay(store.root)
        overlay.sweep()
        sealed = overlay.has(chain)
        seen[sealed] += 1
        if sealed:
            overlay.prepare("look", chain)
            with overlay.mounted("look") as root:
                assert sorted(os.listdir(root)) == ["d", "undescribed"]
                assert os.stat("d", dir_fd=root).st_mode & 0o777 == 0o711
                assert os.stat("undescribed", dir_fd=root).st_mode & 0o777 == 0o700
                assert os.stat("d/a", dir_fd=root).st_size == 3000
            overlay.discard("look")
            overlay.remove(chain)
        overlay.close()
        assert os.listdir(store.root / "staging") == os.listdir(store.root / "trash") == []
        assert len(os.listdir(store.root / "l")) == 1
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
    assert seen[False] > 20
    assert seen[True] >= 2


def test_files_then_records(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """C-02: the order in which a layer becomes durable."""
    calls: list[str] = []
    real_fsync, real_rename, real_syncfs = os.fsync, os.rename, files.syncfs

    def name_of(handle: int) -> str:
        return Path(os.readlink(f"/proc/self/fd/{handle}")).name[:6]

    def fsync(handle: int) -> None:
        calls.append(f"fsync {name_of(handle)}")
        real_fsync(handle)

    def syncfs(handle: int) -> None:
        calls.append(f"syncfs {name_of(handle)}")
        real_syncfs(handle)

    def rename(source: str | Path, target: str | Path) -> None:
        calls.append(f"rename {Path(target).name[:6]}")
        real_rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(sealing, "syncfs", syncfs)
    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(os, "urandom", lambda count: b"\xaa" * count)
    made, _ = store.overlay.unpack(chain_of(None, BASE), None, io.BytesIO(BASE))
    assert (
        calls
        == [
            "rename aaaaaa",  # into the bin, had an unsealed folder stood there
            f"rename {made.chain.value[:6]}",
        ]
    )
    calls.clear()
    store.overlay.sealing.flush()
    assert calls == ["syncfs overla", "rename record", "syncfs overla"]
    calls.clear()
    store.overlay.sealing.flush()
    assert calls == []  # nothing is owed to the disk any more
    calls.clear()
    store.overlay.prepare("k", store.overlay.chains()[0].chain)
    assert calls == []  # on the way of every start: nothing is waited for
    store.overlay.discard("k")
    assert calls == ["rename aaaaaa"]


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress], ids=["plain", "gzip"])
def test_a_blob_damaged_on_disk_is_found_by_unpacking(
    store: Store, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """C-03: also where the archive itself would not notice."""
    data = archive(file("a", bytes(5000))) + bytes(20_000)
    content = Content(tmp_path / "content")
    blob = content.ingest(io.BytesIO(pack(data) + bytes(3000))).digest
    path = tmp_path / "content" / "blobs" / "sha256" / blob.value
    damaged = bytearray(path.read_bytes())
    damaged[4] ^= 8  # a letter of a name in the archive, the time in the gzip header
    path.write_bytes(damaged)
    with content.open(blob) as source, pytest.raises((DamagedBlob, BadArchive)):
        store.overlay.unpack(chain_of(None, data), None, Decompressed(source))
    assert not store.overlay.has(chain_of(None, data))
    assert os.listdir(store.root / "staging") == []
