"""Namespaces other than the usual six fresh ones: a user namespace, joined ones, the host's."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from havre.oci.runtime_spec import IDMapping, Namespace
from havre.runtime.runtime import StartFailed, Stdio
from tests.support.bundles import Place, busybox_tree
from tests.support.hosts import new_host

pytestmark = pytest.mark.root

FIRST = 100_000


def without(kind: str, path: str | None = None) -> list[Namespace]:
    kept = [Namespace(type=one) for one in ("mount", "pid", "network", "ipc", "uts", "cgroup") if one != kind]
    return kept if path is None else [*kept, Namespace(type=kind, path=path)]


def open_up(folder: Path) -> None:
    """Root of a user namespace is nobody here: it must be able to walk to its root."""
    for path in (folder, *folder.parents):
        if path != Path("/"):
            path.chmod(path.stat().st_mode | 0o011)


async def test_user_namespace(place: Place, tmp_path: Path) -> None:
    """R-23."""
    place.image = busybox_tree(tmp_path / "shifted")
    subprocess.run(["chown", "-hR", f"{FIRST}:{FIRST}", str(place.image)], check=True)
    open_up(tmp_path)
    maps = [IDMapping(container_id=0, host_id=FIRST, size=65536)]
    bundle = place.bundle(
        "sh",
        "-c",
        "cat /proc/self/uid_map; id -u; touch /made; test -c /dev/null && echo x > /dev/null && echo null; "
        "cut -d: -f3 /proc/self/cgroup | sort -u; touch /sys/x 2>/dev/null || echo ro; sleep 100",
        namespaces=[*without(""), Namespace(type="user")],
        uid_mappings=maps,
        gid_mappings=maps,
    )
    for part in ("up", "work"):
        os.chown(tmp_path / bundle.id / part, FIRST, FIRST)
    shim, client = await place.launch(bundle)
    said = (await client.read_until(b"ro\n")).split()
    assert said == [b"0", b"100000", b"65536", b"0", b"null", b"/", b"ro"]
    status = Path(f"/proc/{shim.pid}/status").read_text()
    assert f"Uid:\t{FIRST}\t{FIRST}\t{FIRST}\t{FIRST}" in status
    assert (tmp_path / bundle.id / "up/made").stat().st_uid == FIRST
    guest = await place.execute(shim, "sh", "-c", "id -u; cat /proc/self/uid_map")
    assert guest.words == ["0", "0", "100000", "65536"]
    client.close()
    await place.end(shim)
    shutil.rmtree(place.image)


async def test_user_namespace_with_terminal(place: Place, tmp_path: Path) -> None:
    place.image = busybox_tree(tmp_path / "shifted")
    subprocess.run(["chown", "-hR", f"{FIRST}:{FIRST}", str(place.image)], check=True)
    open_up(tmp_path)
    maps = [IDMapping(container_id=0, host_id=FIRST, size=65536)]
    done = await place.run(
        "tty",
        namespaces=[*without(""), Namespace(type="user")],
        uid_mappings=maps,
        gid_mappings=maps,
        stdio=Stdio(terminal=True),
    )
    assert done.output == "/dev/pts/0\r\n"


async def test_network_namespace_by_path(place: Place) -> None:
    with new_host() as host:
        wanted = os.stat(host.netns).st_ino
        done = await place.run("readlink", "/proc/self/ns/net", namespaces=without("network", str(host.netns)))
        assert done.output.strip() == f"net:[{wanted}]"


async def test_own_network_has_a_loopback_that_is_up(place: Place) -> None:
    done = await place.run("cat", "/sys/class/net/lo/flags")
    assert int(done.output, 16) & 1


async def test_host_pids(place: Place) -> None:
    bundle = place.bundle("sh", "-c", "echo $$; sleep 300 & exit 0", namespaces=without("pid"))
    shim, client = await place.launch(bundle)
    assert int(await client.read_until(b"\n")) == shim.pid
    assert (await shim.wait_exit()).code == 0
    await client.read_all()
    client.close()
    await place.runtime.remove(shim.id)


async def test_pids_of_another_container(place: Place) -> None:
    first, first_client = await place.launch(place.bundle("sleep", "100"))
    joined = without("pid", f"/proc/{first.pid}/ns/pid")
    second, second_client = await place.launch(
        place.bundle("sh", "-c", "ps | grep -c 'sleep 100'; sleep 200", namespaces=joined)
    )
    assert await second_client.read_until(b"\n") != b"0\n"
    guest = await place.execute(second, "sh", "-c", "readlink /proc/self/ns/pid")
    assert guest.output.strip() == os.readlink(f"/proc/{first.pid}/ns/pid")
    await second.signal(9)
    assert (await second.wait_exit()).code == 137
    assert not first.ended.done()
    for client in (first_client, second_client):
        client.close()
    await place.runtime.remove(second.id)
    await place.end(first)


async def test_ipc_and_uts_of_another_container(place: Place) -> None:
    first, client = await place.launch(place.bundle("sleep", "100"))
    for kind in ("ipc", "uts"):
        joined = without(kind, f"/proc/{first.pid}/ns/{kind}")
        done = await place.run("readlink", f"/proc/self/ns/{kind}", namespaces=joined, hostname="")
        assert done.output.strip() == os.readlink(f"/proc/{first.pid}/ns/{kind}")
    client.close()
    await place.end(first)


async def test_namespaces_that_cannot_be(place: Place) -> None:
    with pytest.raises(StartFailed, match="a mount namespace of its own is needed"):
        await place.run("true", namespaces=without("mount"))
    with pytest.raises(StartFailed, match="not known"):
        await place.run("true", namespaces=[*without(""), Namespace(type="astral")])
    with pytest.raises(StartFailed):
        await place.run("true", namespaces=without("network", "/no/such"))
