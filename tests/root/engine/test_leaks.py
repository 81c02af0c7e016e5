"""After `rm -f` of everything no mount, link, cgroup, namespace, process, handle or file is left behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import leaks
from tests.support.engines import Havre
from tests.support.hosts import Host

pytestmark = pytest.mark.root

_PATIENCE_S = 20


@pytest.fixture
def engine(host: Host, tmp_path: Path, rootfs_tar: bytes) -> Iterator[Havre]:
    made = Havre(host, tmp_path / "hv")
    made.start()
    made.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
    yield made
    made.remove_all()
    made.stop()


def mixed_load(engine: Havre) -> None:
    for network in ("none", "host", "bridge"):
        engine.docker("run", "--rm", "--network", network, "busybox", "true", check=True)
        engine.docker("run", "-d", "--network", network, "busybox", "sleep", "1000", check=True)
    name = engine.out("run", "-d", "--tmpfs", "/t", "-v", "/tmp:/host:ro", "-m", "64m", "busybox", "sleep", "1000")
    engine.docker("exec", name, "sh", "-c", "sleep 1000 & echo started > /file", check=True)
    for line in (["busybox", "nosuch"], ["-u", "nosuch", "busybox", "true"], ["-w", "/etc/passwd", "busybox", "true"]):
        assert engine.docker("run", *line).returncode in (125, 126, 127)
    assert engine.docker("run", "--rm", "--name", "twice", "-d", "busybox", "sleep", "1000").returncode == 0
    assert engine.docker("run", "--name", "twice", "busybox", "true").returncode == 125
    engine.docker("create", "busybox", "true", check=True)
    with suppress(Exception):
        engine.docker("run", "busybox", "sleep", "1000", timeout_s=0.5)


def test_nothing_is_left(engine: Havre) -> None:
    mixed_load(engine)  # pools and caches fill now
    engine.remove_all()
    before = settled(engine, None)
    mixed_load(engine)
    engine.remove_all()
    after = settled(engine, before)
    for kind in ("mounts", "links", "cgroups", "netns", "files", "processes"):
        extra = getattr(after, kind) - getattr(before, kind)
        assert not {name for name in extra if "pool" not in name}, kind
    assert after.descriptors <= before.descriptors + 2


def settled(engine: Havre, before: leaks.Snapshot | None) -> leaks.Snapshot:
    """A snapshot once background removal is over: it no longer changes, or equals *before*."""
    deadline = time.monotonic() + _PATIENCE_S
    last = leaks.take(engine.host, engine.data_root, engine.exec_root, engine.pid)
    while time.monotonic() < deadline:
        time.sleep(0.5)
        now = leaks.take(engine.host, engine.data_root, engine.exec_root, engine.pid)
        if now == (before or last):
            return now
        last = now
    return last
