from __future__ import annotations

from pathlib import Path

import pytest

from havre.base.errors import HavreError
from havre.engine.cdi import edited, edits_of, group_numbers, wanted_devices
from havre.engine.cdi_files import CdiDevice, CdiFile, CdiHook, CdiMount, CdiNode, Edits, Found, read_devices
from havre.engine.settings import DeviceRequest
from havre.oci.runtime_spec import Device, DeviceRule, Hook, Linux, Mount, Process, Resources, Spec

ONE = CdiDevice(name="one", container_edits=Edits(env=["B=2"], additional_gids=[7, 0]))
FILE = CdiFile(cdi_version="0.6.0", kind="v.org/c", devices=[ONE], container_edits=Edits(env=["COMMON=1"]))
GPU = CdiFile(cdi_version="0.6.0", kind="nvidia.com/gpu", devices=[CdiDevice(name=n) for n in ("0", "1", "all")])
KNOWN = {"v.org/c=one": Found(FILE, ONE)}
GPUS = {f"nvidia.com/gpu={device.name}": Found(GPU, device) for device in GPU.devices}


def gpus(**more: object) -> DeviceRequest:
    return DeviceRequest(**{"capabilities": [["gpu"]], **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (DeviceRequest(driver="cdi", device_ids=["v.org/c=one", "v.org/c=one"]), ["v.org/c=one"]),
        (gpus(count=-1), ["nvidia.com/gpu=all"]),
        (gpus(count=2), ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]),
        (gpus(driver="nvidia", device_ids=["1"]), ["nvidia.com/gpu=1"]),
    ],
)
def test_what_a_request_means(request_: DeviceRequest, expected: list[str]) -> None:
    assert wanted_devices([request_], {**KNOWN, **GPUS}) == expected


@pytest.mark.parametrize(
    ("request_", "known", "message"),
    [
        (DeviceRequest(driver="cdi", device_ids=["a.b/c=d"]), {}, "unresolvable CDI devices a.b/c=d"),
        (gpus(count=-1), KNOWN, 'could not select device driver "" with capabilities: [[gpu]] (no CDI file'),
        (gpus(count=3), GPUS, "unresolvable CDI devices nvidia.com/gpu=2"),
        (gpus(driver="amd"), GPUS, 'could not select device driver "amd" with capabilities: [[gpu]]'),
        (DeviceRequest(capabilities=[["tpu", "x"]]), GPUS, 'driver "" with capabilities: [[tpu x]]'),
    ],
)
def test_what_nobody_offers_is_refused(request_: DeviceRequest, known: dict[str, Found], message: str) -> None:
    with pytest.raises(HavreError) as refused:
        wanted_devices([request_], known)
    assert message in refused.value.message


def test_edits_of_a_file_come_once_and_first() -> None:
    two = CdiDevice(name="two")
    known = {**KNOWN, "v.org/c=two": Found(FILE, two)}
    assert edits_of(known, known) == [FILE.container_edits, ONE.container_edits, two.container_edits]
    assert group_numbers([ONE.container_edits]) == ["7"]


def test_a_spec_is_edited() -> None:
    edits = Edits(
        env=["A=new"],
        device_nodes=[CdiNode(path="/dev/inside", host_path="/dev/x", permissions="r"), CdiNode(path="/f", type="p")],
        mounts=[CdiMount(host_path="/h", container_path="/a")],
        hooks=[CdiHook(hook_name="createRuntime", path="/bin/h", args=["h", "x"])],
    )
    spec = Spec(
        oci_version="1.0.2",
        process=Process(env=["A=old", "C=3"]),
        mounts=[Mount(destination="/a/b/c"), Mount(destination="/a")],
        linux=Linux(resources=Resources(devices=[DeviceRule(allow=False)])),
    )
    there = {"/dev/x": Device(path="/dev/x", type="c", major=4, minor=5, file_mode=0o600)}
    made = edited(
        spec, [edits], lambda path: there.get(path) or (Device(path=path, type="p") if path == "/f" else None)
    )
    assert made.process is not None
    assert made.process.env == ["C=3", "A=new"]
    assert made.mounts is not None
    assert [mount.destination for mount in made.mounts] == ["/a", "/a/b/c"]
    assert made.mounts[0].source == "/h"
    assert made.linux is not None
    assert made.linux.devices is not None
    assert made.linux.devices[0] == Device(path="/dev/inside", type="c", major=4, minor=5, file_mode=0o600)
    assert made.linux.resources is not None
    assert made.linux.resources.devices is not None
    assert made.linux.resources.devices[-1] == DeviceRule(allow=True, type="c", major=4, minor=5, access="r")
    assert made.hooks is not None
    assert made.hooks.create_runtime == [Hook(path="/bin/h", args=["h", "x"])]


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        (Edits(device_nodes=[CdiNode(path="/dev/none")]), "/dev/none is no device of this host"),
        (Edits(hooks=[CdiHook(hook_name="poststop", path="/x")]), "hooks at poststop are not run"),
    ],
)
def test_edits_that_cannot_be_made(edits: Edits, message: str) -> None:
    with pytest.raises(HavreError, match=message):
        edited(Spec(oci_version="1"), [edits], lambda _: None)


def test_files_of_later_folders_count_more_and_twins_cancel_out(tmp_path: Path) -> None:
    early, late = tmp_path / "early", tmp_path / "late"
    early.mkdir()
    late.mkdir()
    text = (
        '{"cdiVersion": "0.6.0", "kind": "v.org/c", "devices": [{"name": "%s", "containerEdits": {"env": ["%s=1"]}}]}'
    )
    (early / "a.json").write_text(text % ("x", "EARLY"))
    (late / "b.yaml").write_text(
        "cdiVersion: 0.6.0\nkind: v.org/c\ndevices:\n- name: x\n  containerEdits: {env: [LATE=1]}\n"
    )
    (late / "t1.json").write_text(text % ("twin", "A"))
    (late / "t2.json").write_text(text % ("twin", "B"))
    (late / "broken.json").write_text("{")
    (late / "other.txt").write_text("not read")
    found = read_devices([str(early), str(late), str(tmp_path / "absent")])
    assert set(found) == {"v.org/c=x"}
    assert found["v.org/c=x"].device.container_edits.env == ["LATE=1"]
