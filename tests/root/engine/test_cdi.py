"""Devices by their CDI names, with a specification of the test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Havre, running
from tests.support.hosts import Host

pytestmark = pytest.mark.root


@pytest.fixture
def havre(host: Host, tmp_path: Path, rootfs_tar: bytes) -> Iterator[Havre]:
    engine = Havre(host, tmp_path / "hv", ["--cdi-spec-dir", str(tmp_path / "cdi")])
    (tmp_path / "cdi").mkdir()
    with running(engine):
        engine.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
        yield engine


def specify(tmp_path: Path, kind: str, **edits: object) -> None:
    devices = [{"name": "one", "containerEdits": edits}, {"name": "all", "containerEdits": {"env": ["ALL=1"]}}]
    whole = {"cdiVersion": "0.6.0", "kind": kind, "devices": devices}
    (tmp_path / "cdi" / f"{kind.replace('/', '-')}.json").write_text(json.dumps(whole))


def test_a_device_brings_what_its_vendor_says(havre: Havre, tmp_path: Path) -> None:
    (tmp_path / "lib").write_text("of the vendor")
    hook = tmp_path / "hook"
    hook.write_text(
        f"#!/bin/sh\ncat > {tmp_path}/state\n"
        f'cp $(sed \'s,.*"bundle":"\\([^"]*\\)".*,\\1,\' {tmp_path}/state)/config.json {tmp_path}/\n'
    )
    hook.chmod(0o755)
    specify(
        tmp_path,
        "vendor.org/thing",
        env=["THING=one"],
        deviceNodes=[{"path": "/dev/thing", "hostPath": "/dev/loop-control", "permissions": "r"}],
        mounts=[{"hostPath": f"{tmp_path}/lib", "containerPath": "/usr/lib/thing", "options": ["ro", "bind"]}],
        hooks=[{"hookName": "createRuntime", "path": str(hook), "args": ["hook"]}],
        additionalGids=[4711],
    )
    script = "echo $THING; cat /usr/lib/thing; id -G; stat -c %t:%T /dev/thing; "
    script += "grep 10:237 /sys/fs/cgroup/devices/devices.list"
    words = ["run", "--rm", "--device", "vendor.org/thing=one", "busybox", "sh", "-c", script]
    assert havre.out(*words) == "one\nof the vendor0 4711\na:ed\nc 10:237 r"
    assert json.loads((tmp_path / "state").read_text())["status"] == "creating"
    assert "THING=one" in json.loads((tmp_path / "config.json").read_text())["process"]["env"]
    told = json.loads(havre.out("info", "--format", "{{json .}}"))
    assert told["CDISpecDirs"] == [str(tmp_path / "cdi")]
    assert {"Source": "cdi", "ID": "vendor.org/thing=one"} in told["DiscoveredDevices"]


def test_unknown_names_and_gpus_are_refused_clearly(havre: Havre) -> None:
    refused = havre.docker("run", "--rm", "--device", "vendor.org/thing=two", "busybox", "true")
    assert b"CDI device injection failed: unresolvable CDI devices vendor.org/thing=two" in refused.stderr
    refused = havre.docker("run", "--rm", "--gpus", "all", "busybox", "true")
    assert b'could not select device driver "" with capabilities: [[gpu]]' in refused.stderr
    assert b"no CDI file of this host offers GPUs" in refused.stderr


def test_gpus_come_from_a_file_that_offers_them(havre: Havre, tmp_path: Path) -> None:
    specify(tmp_path, "nvidia.com/gpu")
    assert havre.out("run", "--rm", "--gpus", "all", "busybox", "sh", "-c", "echo $ALL") == "1"
