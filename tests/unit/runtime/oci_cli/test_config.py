"""What a bundle must hold, and what is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from havre.base.errors import InvalidInput, NotFound, NotSupported
from havre.oci import runtime_spec
from havre.runtime.oci_cli.config import load, refuse_extras

EXAMPLE = Path(__file__).parents[3] / "golden" / "oci" / "example-config.json"


def bundle(tmp_path: Path, **changes: Any) -> Path:
    config = {
        "ociVersion": "1.0.2",
        "process": {"args": ["sh"], "cwd": "/"},
        "root": {"path": "rootfs"},
        "linux": {"namespaces": [{"type": "mount"}]},
        **changes,
    }
    (tmp_path / "rootfs").mkdir(exist_ok=True)
    (tmp_path / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    return tmp_path


def test_the_root_becomes_absolute_and_the_cgroup_is_named(tmp_path: Path) -> None:
    spec = load(bundle(tmp_path), "c1", with_cgroups=True)
    assert spec.root is not None
    assert spec.root.path == str(tmp_path / "rootfs")
    assert spec.linux is not None
    assert spec.linux.cgroups_path == "/havre/c1"
    without = load(bundle(tmp_path, linux={"cgroupsPath": "/x/y"}), "c1", with_cgroups=False)
    assert without.linux is not None
    assert without.linux.cgroups_path == ""


def test_every_container_may_open_the_devices_it_gets(tmp_path: Path) -> None:
    given = {"resources": {"devices": [{"allow": False, "access": "rwm"}]}}
    spec = load(bundle(tmp_path, linux=given), "c1", with_cgroups=True)
    assert spec.linux is not None
    assert spec.linux.resources is not None
    rules = spec.linux.resources.devices or []
    assert not rules[0].allow
    assert (5, 2) in [(rule.major, rule.minor) for rule in rules if rule.allow]
    assert (5, 1) not in [(rule.major, rule.minor) for rule in rules]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ociVersion": "2.0.0"}, "unsupported spec version"),
        ({"ociVersion": "one"}, "unsupported spec version"),
        ({"process": None}, "process property must not be empty"),
        ({"process": {"args": ["sh"], "cwd": "relative"}}, "Cwd must be an absolute path"),
        ({"process": {"args": [], "cwd": "/"}}, "args must not be empty"),
        ({"root": None}, "root must be specified"),
        ({"linux": {"namespaces": [{"type": "pid"}, {"type": "pid"}]}}, "duplicated ns"),
        ({"hostname": "x", "linux": {}}, "private UTS namespace"),
        ({"hooks": {"poststop": [{"path": "relative"}]}}, "path of poststop hook is not absolute"),
        ({"process": {"args": "sh"}}, "invalid runtime config"),
    ],
)
def test_what_is_no_container(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        load(bundle(tmp_path, **changes), "c1", with_cgroups=True)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"chdir .*/nope: no such file or directory"):
        load(tmp_path / "nope", "c1", with_cgroups=True)
    with pytest.raises(NotFound, match=r"JSON specification file config\.json not found"):
        load(tmp_path, "c1", with_cgroups=True)
    with pytest.raises(NotFound, match="invalid rootfs"):
        load(bundle(tmp_path, root={"path": "elsewhere"}), "c1", with_cgroups=True)


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("process", "scheduler", {"policy": "SCHED_BATCH"}),
        ("process", "ioPriority", {"class": "IOPRIO_CLASS_IDLE"}),
        ("process", "execCPUAffinity", {"initial": "0"}),
        ("linux", "intelRdt", {"closID": "x"}),
        ("linux", "memoryPolicy", {"mode": "MPOL_BIND"}),
        ("linux", "netDevices", {"eth0": {}}),
        ("linux", "personality", {"domain": "LINUX32"}),
        ("linux", "timeOffsets", {"monotonic": {"secs": 1}}),
    ],
)
def test_what_cannot_be_done_is_not_passed_over(part: str, field: str, value: dict[str, Any]) -> None:
    with pytest.raises(NotSupported, match=f"{part}.{field}"):
        refuse_extras(json.dumps({part: {field: value}}).encode())
    refuse_extras(json.dumps({part: {field: None}}).encode())
    refuse_extras(json.dumps({part: {field: {}}}).encode())


def test_a_listener_of_system_calls_is_refused() -> None:
    with pytest.raises(NotSupported, match="listenerPath"):
        refuse_extras(b'{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"}}}')


def test_the_specification_s_own_example_is_understood() -> None:
    data = EXAMPLE.read_bytes()
    spec = runtime_spec.decode(data)
    assert spec.linux is not None
    assert spec.linux.resources is not None
    assert spec.linux.resources.cpu is not None
    assert spec.linux.resources.cpu.burst == 1_000_000
    assert spec.linux.resources.network is not None
    assert spec.linux.resources.network.class_id == 1_048_577
    with pytest.raises(NotSupported, match=r"linux\.timeOffsets"):
        refuse_extras(data)
