"""E-04: what the disk holds at the moment of an acknowledgement is enough for the engine that starts after a power cut.

The engine writes to an ext4 file system in a file. Killed, it can no longer flush anything; the file, copied before the
kernel writes back by itself, is what a disk would hold after the power went.
"""

from __future__ import annotations

import http.client
import io
import itertools
import os
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.engines import Havre
from tests.support.hosts import Host, new_host
from tests.support.http import Answer, Api

pytestmark = pytest.mark.root
_DEADLINE_S = 60
Check = Callable[[Api], None]
"""Asserts that what was acknowledged is there."""


@contextmanager
def mounted(disk: Path, folder: Path) -> Iterator[Path]:
    folder.mkdir()
    # Write-back by age is put off (commit=), so that nothing but the engine's own flushes reaches the file.
    subprocess.run(["mount", "-o", "loop,commit=300", str(disk), str(folder)], check=True)
    try:
        yield folder
    finally:
        deadline = time.monotonic() + _DEADLINE_S
        while subprocess.run(["umount", str(folder)], check=False, capture_output=True).returncode:
            assert time.monotonic() < deadline, "a process of the killed engine holds the disk"
            time.sleep(0.1)


def archive(content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("file", "folder/file"):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def done(answer: Answer) -> Answer:
    assert answer.status < 300, answer.body
    assert b"errorDetail" not in answer.body
    return answer


def steps(api: Api, name: str) -> Iterator[Check]:
    """Make an image, containers, volumes and a network, and take others away; after each, how to check it."""
    content = os.urandom(30_000)
    query: dict[str, object] = {"fromSrc": "-", "repo": name, "tag": "v1"}
    done(
        api.call("POST", "/images/create", archive(content), query=query, headers={"Content-Type": "application/x-tar"})
    )
    yield lambda api: _has_content(api, f"{name}:v1", content)
    done(api.post(f"/images/{name}:v1/tag", repo=name, tag="v2"))
    yield lambda api: _has_content(api, f"{name}:v2", content)
    wanted = {"Image": f"{name}:v1", "Cmd": ["x"], "Env": [f"NAME={name}"], "HostConfig": {"Memory": 64 << 20}}
    made = done(api.post("/containers/create", wanted, name=f"first-{name}")).json["Id"]
    done(api.post(f"/containers/{made}/rename", name=name))
    yield lambda api: _is_container(api, name, made)
    done(api.post("/volumes/create", {"Name": name, "Labels": {"of": name}}))
    yield lambda api: _eq(done(api.get(f"/volumes/{name}")).json["Labels"], {"of": name})
    done(api.post("/volumes/create", {"Name": f"gone-{name}"}))
    done(api.delete(f"/volumes/gone-{name}"))
    yield lambda api: _eq(api.get(f"/volumes/gone-{name}").status, 404)
    done(api.post("/containers/create", {**wanted, "HostConfig": {"Binds": [f"filled-{name}:/folder"]}}))
    yield lambda api: _volume_has(api, f"filled-{name}", content)
    done(api.call("POST", f"/volumes/taken-in-{name}/import", archive(content)))
    yield lambda api: _volume_has(api, f"taken-in-{name}", content)
    brief = done(api.post("/containers/create", wanted, name=f"gone-{name}")).json["Id"]
    done(api.delete(f"/containers/{brief}"))
    yield lambda api: _is_gone_or_whole(api, f"gone-{name}", brief, content)
    if name.endswith("-0"):  # once a worker: the pools of addresses have an end
        network = done(api.post("/networks/create", {"Name": name})).json["Id"]
        yield lambda api: _eq(done(api.get(f"/networks/{name}")).json["Id"], network)
    change = archive(content[::-1])
    done(api.call("PUT", f"/containers/{made}/archive", change, query={"path": "/"}))
    done(api.post("/commit", None, container=made, repo=name, tag="v3"))
    yield lambda api: _has_content(api, f"{name}:v3", content[::-1])
    onto = done(api.post("/containers/create", {"Image": f"{name}:v3", "Cmd": ["x"]})).json["Id"]
    yield lambda api: _shows(api, onto, content[::-1])


def _eq(found: object, wanted: object) -> None:
    assert found == wanted


def _is_container(api: Api, name: str, identifier: str) -> None:
    found = done(api.get(f"/containers/{name}/json")).json
    assert (found["Id"], found["HostConfig"]["Memory"]) == (identifier, 64 << 20)
    assert f"NAME={name}" in found["Config"]["Env"]


def _is_gone_or_whole(api: Api, name: str, identifier: str, content: bytes) -> None:
    """A removal is answered before it is on the disk; what comes back is no half container: docs/adr/0010."""
    if api.get(f"/containers/{identifier}/json").status != 404:
        _eq(done(api.get(f"/containers/{name}/json")).json["Id"], identifier)
        _shows(api, identifier, content)


def _has_content(api: Api, image: str, content: bytes) -> None:
    _shows(api, done(api.post("/containers/create", {"Image": image, "Cmd": ["x"]})).json["Id"], content)


def _shows(api: Api, container: str, content: bytes) -> None:
    packed = done(api.call("GET", f"/containers/{container}/archive", query={"path": "/file"})).body
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        file = tar.extractfile("file")
        assert file is not None
        assert file.read() == content


def _volume_has(api: Api, name: str, content: bytes) -> None:
    where = Path(done(api.get(f"/volumes/{name}")).json["Mountpoint"])
    _eq((where / "file").read_bytes(), content)


def work(
    engine: Havre, name: str, most: int | None, acknowledge: Callable[[Check], None], dead: threading.Event
) -> None:
    with closing(engine.api()) as api:
        turns = (steps(api, f"{name}-{turn}") for turn in itertools.count())
        try:
            for check in itertools.islice(itertools.chain.from_iterable(turns), most):
                acknowledge(check)
        except (OSError, http.client.HTTPException):
            assert dead.wait(_DEADLINE_S), "the engine broke a connection though nobody had killed it"


@pytest.mark.parametrize(
    ("names", "most", "acknowledged"),
    # One alone stops by itself: no neighbour's or later content flushes the whole file system behind its back.
    [(["a"], n, n) for n in (6, 9, 10, 11)] + [(["a", "b", "c"], None, 17), (["a", "b", "c"], None, 60)],
    ids=["to a filled volume", "to a network", "to a commit", "to its end", "early", "late"],
)
def test_nothing_acknowledged_is_lost_in_a_power_cut(
    host: Host, tmp_path: Path, names: list[str], most: int | None, acknowledged: int
) -> None:
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    with disk.open("wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1", str(disk)], check=True)
    checks: list[Check] = []
    dead = threading.Event()
    with mounted(disk, tmp_path / "one") as folder, ThreadPoolExecutor(len(names)) as pool:
        engine = Havre(host, tmp_path / "first")
        engine.data_root = folder / "data"
        engine.start()
        workers = [pool.submit(work, engine, name, most, checks.append, dead) for name in names]
        deadline = time.monotonic() + _DEADLINE_S
        while len(checks) < acknowledged:
            for worker in workers:
                if worker.done():
                    worker.result()
            assert time.monotonic() < deadline, f"{len(checks)} steps in {_DEADLINE_S} s:\n{engine.tail()}"
            time.sleep(0.005)
        known = list(checks)
        engine.kill()
        subprocess.run(["cp", "--sparse=always", str(disk), str(copy)], check=True)
        dead.set()
        for worker in workers:
            worker.result()
    _start_again(copy, tmp_path, known)


def _start_again(copy: Path, folder: Path, known: list[Check]) -> None:
    """On another host, as after a reboot."""
    with new_host() as rebooted, mounted(copy, folder / "two") as disk:
        engine = Havre(rebooted, folder / "second")
        engine.data_root = disk / "data"
        engine.start()
        try:
            with closing(engine.api()) as api:
                for check in known:
                    check(api)
            engine.docker("volume", "create", "after", check=True)
            engine.remove_all()
            assert not list((disk / "data" / "content" / "ingest").glob("*"))
        finally:
            engine.stop()
