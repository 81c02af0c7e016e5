"""What is remembered between two commands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from havre.base.errors import InvalidInput
from havre.kernel.process import boot_id, start_time
from havre.oci.runtime_spec import Process, Root, Spec
from havre.runtime.oci_cli.store import ContainerExists, NoSuchContainer, Record, Store, remove_folder

SPEC = Spec(oci_version="1.0.2", process=Process(args=["sh"]), root=Root(path="/x"))


def record(**changes: object) -> Record:
    values: dict[str, object] = {
        "id": "c1",
        "bundle": "/b",
        "rootfs": "/b/rootfs",
        "pid": os.getpid(),
        "start_time": start_time(os.getpid()),
        "boot_id": boot_id(),
        "created_ns": 1,
        "owner": "root",
        "cgroup_path": "",
        **changes,
    }
    return Record(**values)  # type: ignore[arg-type]  # a table of the fields


def test_a_container_is_found_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "root")
    assert store.every() == []
    folder = store.new_folder("c1")
    with pytest.raises(NoSuchContainer, match="container does not exist"):
        store.get("c1")
    assert store.every() == []
    with pytest.raises(ContainerExists, match="container with given ID already exists"):
        store.new_folder("c1")
    store.save(folder, record(), SPEC)
    found = store.get("c1")
    assert found.record == record()
    assert found.spec() == SPEC
    assert [container.id for container in store.every()] == ["c1"]
    found.forget()
    assert store.every() == []
    assert not folder.exists()
    remove_folder(folder)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "../x", "é", "a\n", "x" * 1025])
def test_what_names_no_container(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    with pytest.raises(InvalidInput, match="invalid container ID format"):
        store.new_folder(name)
    with pytest.raises(NoSuchContainer):
        store.get(name)


@pytest.mark.parametrize(
    ("changes", "status"),
    [({}, "running"), ({"start_time": 1}, "stopped"), ({"boot_id": "another"}, "stopped"), ({"pid": 2**22}, "stopped")],
)
def test_a_number_is_believed_only_with_its_birth(tmp_path: Path, changes: dict[str, object], status: str) -> None:
    store = Store(tmp_path)
    container = store.save(store.new_folder("c1"), record(**changes), SPEC)
    assert container.status(None) == status


def test_a_child_that_nobody_waits_for_has_stopped(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    store = Store(tmp_path)
    container = store.save(store.new_folder("c1"), record(pid=pid, start_time=start_time(pid)), SPEC)
    assert container.status(None) == "stopped"
    os.waitpid(pid, 0)


def test_until_it_is_started_it_is_created(tmp_path: Path) -> None:
    store = Store(tmp_path)
    container = store.save(store.new_folder("c1"), record(), SPEC)
    container.start_socket.touch()
    assert container.status(None) == "created"


def test_a_damaged_record_is_told_and_passed_over(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.new_folder("c1") / "state.json").write_text("{")
    with pytest.raises(InvalidInput, match="damaged"):
        store.get("c1")
    assert store.every() == []
