"""Power cuts: what the disk holds at the moment of an acknowledgement is enough.

The registry writes to an ext4 file system in a file. Killed, it can no longer flush anything; the file, copied before
the kernel writes back by itself, is what a disk would hold after the power went. It is mounted anew and served.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.root.registry.test_killed import assert_store_is_sound, pull_and_verify, push_until_broken
from tests.support.oci_images import image
from tests.support.pushing import push
from tests.support.registries import HavreRegistry, running


@contextmanager
def mounted(disk: Path, folder: Path) -> Iterator[Path]:
    folder.mkdir()
    # Write-back by age is put off (commit=), so that nothing but the registry's own flushes reaches the file.
    subprocess.run(["mount", "-o", "loop,commit=300", str(disk), str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("moment", [0.3, 0.7, 1.2])
def test_nothing_acknowledged_is_lost_in_a_power_cut(tmp_path: Path, moment: float) -> None:
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    with disk.open("wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1", str(disk)], check=True)
    dead = threading.Event()
    with mounted(disk, tmp_path / "one") as folder:
        registry = HavreRegistry(tmp_path / "first", {"storage": {"filesystem": {"rootdirectory": str(folder)}}})
        with running(registry), ThreadPoolExecutor(4) as pool:
            pushes = [pool.submit(push_until_broken, registry, f"push/{number}", dead) for number in range(4)]
            dead.wait(moment)
            registry.kill()
            subprocess.run(["cp", "--sparse=always", str(disk), str(copy)], check=True)
            dead.set()
            acknowledged = [each for done in pushes for each in done.result()]
    assert acknowledged
    with mounted(copy, tmp_path / "two") as folder:
        again = HavreRegistry(tmp_path / "second", {"storage": {"filesystem": {"rootdirectory": str(folder)}}})
        again.root = folder
        with running(again):
            for name, made in acknowledged:
                pull_and_verify(again, name, made)
            push(again, "push/after", image(), "v1")
        assert_store_is_sound(again)
