"""Records to runtime specs, compared with files.

After a wanted change: HAVRE_UPDATE_GOLDEN=1 pytest, then read the diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import cast

import msgspec
import pytest

from havre.engine.device_nodes import Devices, find_devices
from havre.engine.model import Record
from havre.engine.mount_wishes import resolve_mounts
from havre.engine.places import Places
from havre.engine.settings import LogSettings, parse_config, parse_host
from havre.engine.spec import Surroundings, build_bundle, build_spec, cgroup_path
from havre.engine.validate import settled_host
from havre.oci.runtime_spec import Device, DeviceRule, Mount, Spec
from havre.runtime import defaults
from havre.wire.containers import CreateContainer
from tests.fakes.rooms import FACTS

GOLDEN = Path(__file__).parents[2] / "golden" / "specs"
ID = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def the_same_on_every_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "masked_paths", lambda: defaults.MASKED_PATHS)


def make_record(host: dict[str, object] | None = None, **config: object) -> Record:
    given = cast(
        "CreateContainer", {"Cmd": ["sh", "-c", "true"], "Hostname": "box", **config, "HostConfig": host or {}}
    )
    parsed, wished = parse_config(given), parse_host(given)
    return Record(
        id=ID,
        name="golden",
        created_ns=1,
        image_id="sha256:i",
        chain="",
        config=parsed,
        host=settled_host(wished, FACTS, LogSettings(type="json-file")),
        mounts=resolve_mounts(parsed, wished, lambda _: True),
        args=(*(parsed.entrypoint or ()), *(parsed.cmd or ())),
    )


def places(**more: str) -> Places:
    fixed = {
        "root": "/d/overlay2/id/merged",
        "run_dir": f"/e/{ID}",
        "log_path": "/d/log",
        "hostname": "box",
        "network_namespace": "/e/netns/id",
        "resolv_conf": "/d/c/resolv.conf",
        "hostname_file": "/d/c/hostname",
        "hosts": "/d/c/hosts",
    }
    mount = Mount(destination="/", type="overlay", source="overlay", options=["lowerdir=l/A"])
    return msgspec.convert({**fixed, **more, "root_mounts": (mount,)}, Places)


def around(record: Record, devices: Devices | None = None, **more: str) -> Surroundings:
    found = devices or find_devices(msgspec.structs.replace(record.host, privileged=False))
    return Surroundings(facts=FACTS, places=places(**more), devices=found, seccomp_program=b"BPF")


DISK = Device(path="/dev/xvda", type="b", major=8, minor=0, file_mode=0o660, uid=0, gid=6)
ALL_DEVICES = Devices([DISK], [DeviceRule(allow=True, type="a", access="rwm")])

CASES: dict[str, tuple[Record, Surroundings]] = {}


def case(name: str, record: Record, devices: Devices | None = None, **more: str) -> None:
    CASES[name] = (record, around(record, devices, **more))


case("plain", make_record())
case("privileged", make_record({"Privileged": True}), ALL_DEVICES)
case(
    "limits",
    make_record(
        {
            "Memory": 64 << 20,
            "MemoryReservation": 32 << 20,
            "MemorySwappiness": 10,
            "NanoCpus": 1_500_000_000,
            "CpuShares": 512,
            "CpusetCpus": "0-1",
            "PidsLimit": 50,
            "OomKillDisable": True,
            "OomScoreAdj": 100,
            "Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 20}, {"Name": "core", "Soft": -1, "Hard": -1}],
            "BlkioDeviceReadBps": [{"Path": "/dev/xvda", "Rate": 1000}],
            "CgroupParent": "/custom/parent",
        }
    ),
)
case(
    "host_modes",
    make_record(
        {
            "NetworkMode": "host",
            "PidMode": "host",
            "IpcMode": "host",
            "UTSMode": "host",
            "CgroupnsMode": "host",
            "UsernsMode": "host",
        },
        Hostname="",
    ),
    network_namespace="",
    shared_memory="/dev/shm",
)
case(
    "shared_with_others",
    make_record({"NetworkMode": "container:x", "PidMode": "container:x", "IpcMode": "container:x"}, Hostname=""),
    network_namespace="/proc/7/ns/net",
    pid_namespace="/proc/7/ns/pid",
    ipc_namespace="/proc/7/ns/ipc",
    shared_memory="/e/shm/x",
)
case(
    "mounts",
    make_record(
        {
            "Binds": ["/a:/b", "/c:/d:ro,rshared", "/h:/etc/hosts"],
            "Mounts": [
                {"Type": "bind", "Source": "/e", "Target": "/deep/er/f", "ReadOnly": True},
                {
                    "Type": "bind",
                    "Source": "/g",
                    "Target": "/h",
                    "ReadOnly": True,
                    "BindOptions": {"ReadOnlyNonRecursive": True},
                },
                {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 4096, "Mode": 448}},
            ],
            "Tmpfs": {"/run": "exec,size=1m"},
            "ReadonlyRootfs": True,
            "ShmSize": 1 << 20,
        }
    ),
)
case("own_dev", make_record({"Binds": ["/mydev:/dev"], "IpcMode": "none"}))
case(
    "process",
    make_record(
        {
            "CapAdd": ["SYS_TIME"],
            "CapDrop": ["MKNOD"],
            "SecurityOpt": ["no-new-privileges", "writable-cgroups=true"],
            "Init": True,
            "ConsoleSize": [40, 100],
            "GroupAdd": ["wheel", "7"],
            "Sysctls": {"net.core.somaxconn": "99", "net.ipv4.ip_unprivileged_port_start": "1024"},
            "Annotations": {"a": "b"},
            "LogConfig": {
                "Type": "json-file",
                "Config": {"max-size": "1m", "max-file": "3", "labels": "l", "env": "E"},
            },
        },
        User="bob:staff",
        Env=["E=1", "PATH=/own", "TERM=vt100", "HOSTNAME", "E=2"],
        WorkingDir="/w",
        Tty=True,
        OpenStdin=True,
        StdinOnce=True,
        Domainname="example.org",
        Labels={"l": "v"},
        Entrypoint=["/bin/entry"],
    ),
    init="/usr/bin/tini",
)
case("all_capabilities_but_one", make_record({"CapAdd": ["ALL"], "CapDrop": ["CAP_SYS_TIME"]}))
case("only_one_capability", make_record({"CapDrop": ["ALL"], "CapAdd": ["CHOWN"]}))
case(
    "devices",
    make_record(
        {
            "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nul2", "CgroupPermissions": "r"}],
            "DeviceCgroupRules": ["c 10:* rw", "b *:3 m"],
        }
    ),
)
case("no_log", make_record({"LogConfig": {"Type": "none"}}))


@pytest.mark.parametrize("name", CASES)
def test_bundle(name: str) -> None:
    record, surroundings = CASES[name]
    spec = build_spec(record, surroundings, lambda _: (8, 0))
    bundle = msgspec.to_builtins(_bundle_without_spec(record, surroundings))
    made = {"spec": json.loads(msgspec.json.encode(spec)), "bundle": bundle}
    path = GOLDEN / f"{name}.json"
    if os.environ.get("HAVRE_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert made == json.loads(path.read_text(encoding="utf-8"))
    assert msgspec.json.decode(msgspec.json.encode(spec), type=Spec) == spec


def _bundle_without_spec(record: Record, surroundings: Surroundings) -> object:
    """The bundle of a record whose devices need no look at the host, with an empty spec in place."""
    simple = msgspec.structs.replace(record, host=msgspec.structs.replace(record.host, blkio_device_read_bps=None))
    return msgspec.structs.replace(build_bundle(simple, surroundings), spec=Spec(oci_version="1"))


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(CASES)


def test_the_cgroup_of_a_container_bears_its_id() -> None:
    assert cgroup_path(make_record()) == f"/havre/{ID}"
    assert cgroup_path(make_record({"CgroupParent": "a/b"})) == f"/a/b/{ID}"


def test_parents_are_mounted_before_what_lies_below() -> None:
    for record, surroundings in CASES.values():
        seen: list[str] = []
        for mount in build_spec(record, surroundings, lambda _: (8, 0)).mounts or ():
            assert not any(earlier.startswith(f"{mount.destination}/") for earlier in seen), mount.destination
            seen.append(mount.destination)
