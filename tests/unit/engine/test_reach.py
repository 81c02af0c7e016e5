from __future__ import annotations

import pytest
from msgspec.structs import replace

from havre.engine.model import BindMount, Record, TmpfsMount
from havre.engine.reach import host_reach
from havre.engine.settings import Config, DeviceWish, HostConfig

PLAIN = Record(id="a" * 64, name="a", created_ns=0, image_id="", chain="", config=Config(), host=HostConfig())


def nobody(_ref: str) -> Record | None:
    return None


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        (HostConfig(network_mode="bridge", pid_mode="", ipc_mode="private"), ""),
        (HostConfig(security_opt=["no-new-privileges:true"], cap_drop=["ALL"]), ""),
        (HostConfig(privileged=True), "Privileged"),
        (HostConfig(cap_add=["CAP_SYS_ADMIN"]), "CapAdd"),
        (HostConfig(devices=[DeviceWish()]), "Devices"),
        (HostConfig(device_cgroup_rules=["a *:* rwm"]), "Devices"),
        (HostConfig(security_opt=["seccomp=unconfined"]), "SecurityOpt"),
        (HostConfig(network_mode="host"), "NetworkMode=host"),
        (HostConfig(pid_mode="host"), "PidMode=host"),
        (HostConfig(ipc_mode="host"), "IpcMode=host"),
        (HostConfig(uts_mode="host"), "UTSMode=host"),
        (HostConfig(pid_mode="container:gone"), ""),
    ],
)
def test_settings(host: HostConfig, reach: str) -> None:
    assert host_reach(replace(PLAIN, host=host), nobody) == reach


def test_folders_of_the_host() -> None:
    mounts = (TmpfsMount(destination="/t"), BindMount(source="/etc", destination="/e"))
    assert host_reach(replace(PLAIN, mounts=mounts[:1]), nobody) == ""
    assert host_reach(replace(PLAIN, mounts=mounts), nobody) == "a mount of /etc"


def test_shared_namespaces_and_circles() -> None:
    strong = replace(PLAIN, id="b" * 64, host=HostConfig(privileged=True))
    between = replace(PLAIN, id="c" * 64, host=HostConfig(network_mode="container:strong"))
    circle = replace(PLAIN, id="d" * 64, host=HostConfig(ipc_mode="container:circle"))
    found = {"strong": strong, "between": between, "circle": circle}
    last = replace(PLAIN, host=HostConfig(pid_mode="container:between"))
    assert host_reach(last, found.get) == "Privileged"
    assert host_reach(circle, found.get) == ""
