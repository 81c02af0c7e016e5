"""Groups made where a container's own group is the top: the v2 tree in a cgroup namespace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from havre.kernel.cgroups import Cgroups
from havre.kernel.cgroups.mounted import MountedTree, find_trees, open_trees
from havre.kernel.cgroups.vacating import vacate_top

pytestmark = pytest.mark.root

(TREE,) = [tree for tree in find_trees(Path("/proc/self/mountinfo").read_text()) if not tree.options]
_INSIDE = """
import json, os, sys
from havre.kernel.cgroups import Cgroups
from havre.kernel.cgroups.mounted import MountedTree, open_trees
from havre.kernel.cgroups.vacating import vacate_top
from havre.kernel.mounts import MountFlag, mount
from havre.kernel.namespaces import CLONE, unshare

input()
unshare(CLONE.NEWCGROUP | CLONE.NEWNS)
mount("", "/", flags=MountFlag.REC | MountFlag.PRIVATE)
mount("cgroup2", sys.argv[1], "cgroup2")
tree = MountedTree(sys.argv[1], frozenset(), "")

def seen(path):
    cgroups = Cgroups(open_trees([tree]))
    unified = cgroups.trees.unified
    cgroups.create(path)
    kind, has = (unified.read(path[1:], f"cgroup.{word}") for word in ("type", "controllers"))
    cgroups.close()
    return {"type": kind.strip(), "has": has.split()}

before = seen("/before")
cgroups = Cgroups(open_trees([tree]))
vacate_top(cgroups)
after = seen("/after/one")
offered = cgroups.trees.unified.read(".", "cgroup.controllers").split()
own = open("/proc/self/cgroup").read().strip().rpartition(":")[2]
cgroups.join("/after/one", os.getpid())
print(json.dumps({"before": before, "after": after, "offered": offered, "own": own}))
"""


@pytest.fixture
def host() -> Iterator[Cgroups]:
    """The v2 tree alone; its top is left as it was."""
    cgroups = Cgroups(open_trees([MountedTree(TREE.mount_point, frozenset(), "")]))
    assert cgroups.trees.unified is not None
    given = set(cgroups.trees.unified.read(".", "cgroup.subtree_control").split())
    yield cgroups
    for word in set(cgroups.trees.unified.read(".", "cgroup.subtree_control").split()) - given:
        cgroups.trees.unified.write(".", "cgroup.subtree_control", f"-{word}")
    cgroups.close()


def test_the_top_of_a_container_is_vacated(host: Cgroups, tmp_path: Path) -> None:
    group = f"/havre-cg-test-{os.urandom(4).hex()}"
    host.create(group)
    try:
        environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
        with subprocess.Popen(
            [sys.executable, "-c", _INSIDE, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        ) as process:
            host.join(group, process.pid)
            out, _ = process.communicate(b"\n")
        assert process.returncode == 0
    finally:
        host.kill(group)
        host.remove(group)
    found = json.loads(out)
    assert found["before"] == {"type": "domain", "has": []}, "a group that could not be joined"
    assert found["after"] == {"type": "domain", "has": found["offered"]}
    assert found["own"] == "/init"


def test_the_top_of_the_host_stays_as_it_is(host: Cgroups) -> None:
    tree = host.trees.unified
    assert tree is not None
    if tree.exists(".", "cgroup.type"):
        pytest.skip("these tests run in a container")
    before = Path("/proc/self/cgroup").read_text(), tree.exists("init")
    vacate_top(host)
    assert (Path("/proc/self/cgroup").read_text(), tree.exists("init")) == before
