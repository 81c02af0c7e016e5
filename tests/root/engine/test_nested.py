"""An engine in a privileged container of another, as build services run theirs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import PYTHON, Havre

pytestmark = pytest.mark.root

HERE = Path(__file__).parents[3]
_SHARED = ("/usr", sys.base_prefix, sys.prefix, str(HERE))
_LIBRARIES = [f"{path}:{path}:ro" for path in ("/lib", "/lib64") if Path(path).is_dir()]
_MEMORY_V1, _MEMORY_V2 = "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"


@pytest.fixture
def inner(havre: Havre, tmp_path: Path, rootfs_tar: bytes) -> Iterator[Havre]:
    """A havred in a container of *havre*, spoken to by its socket in a shared folder."""
    engine = Havre(havre.host, tmp_path)
    binds = [f"{path}:{path}:ro" for path in dict.fromkeys(_SHARED)] + _LIBRARIES + [f"{tmp_path}:{tmp_path}"]
    places = ["--data-root", engine.data_root, "--exec-root", engine.exec_root, "-H", f"unix://{engine.socket}"]
    havre.remove_all()
    havre.docker(
        *("run", "-d", "--name", "inner", "--privileged", "-e", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"),
        *(word for bind in binds for word in ("-v", bind)),
        *("busybox", PYTHON, "-m", "havre.daemon.main", *map(str, places), "--pidfile", f"{tmp_path}/pid"),
        check=True,
    )
    try:
        engine.wait_ready()
        engine.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
        yield engine
    finally:
        print(havre.docker("logs", "inner").stderr.decode())
        havre.remove_all()


def test_it_limits_its_containers(havre: Havre, inner: Havre) -> None:
    offered = "{{.MemoryLimit}} {{.SwapLimit}} {{.CPUCfsQuota}} {{.CPUShares}} {{.CPUSet}} {{.PidsLimit}}"
    assert inner.out("info", "-f", offered) == havre.out("info", "-f", offered)
    shown = f"cat {_MEMORY_V2} || cat {_MEMORY_V1}"
    assert inner.out("run", "--rm", "-m", "64m", "--cpu-shares", "7", "busybox", "sh", "-c", shown) == str(64 << 20)
    where = havre.out("exec", "inner", "cat", "/proc/self/cgroup")
    assert where == "0::/init" or ":memory:/" in where  # v2, v1
