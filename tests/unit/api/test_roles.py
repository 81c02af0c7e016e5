from __future__ import annotations

import pytest

from havre.api.roles import ADMIN, READ, RUN, Limits, body_refusal, host_access, named_volumes, refusal

TEAM = ("team", "a")
BIND_OPTIONS = {"DriverConfig": {"Options": {"o": "bind"}}}


@pytest.mark.parametrize(
    ("role", "method", "path", "passes"),
    [
        (READ, "GET", "/containers/json", True),
        (READ, "HEAD", "/_ping", True),
        (READ, "GET", "/containers/x/logs", True),
        (READ, "GET", "/containers/x/archive", False),
        (READ, "GET", "/containers/x/export", False),
        (READ, "GET", "/containers/x/attach/ws", False),
        (READ, "GET", "/images/a/b/get", False),
        (READ, "GET", "/images/get", False),
        (READ, "GET", "/volumes/x/export", False),
        (READ, "GET", "/leases/x", False),
        (READ, "POST", "/containers/x/start", False),
        (RUN, "POST", "/containers/x/start", True),
        (RUN, "POST", "/exec/x/start", True),
        (RUN, "POST", "/build", True),
        (RUN, "POST", "/swarm/init", False),
        (RUN, "GET", "/plugins", False),
        (RUN, "POST", "/session", False),
        (ADMIN, "POST", "/anything", True),
    ],
)
def test_roles(role: str, method: str, path: str, passes: bool) -> None:  # noqa: FBT001  a row
    assert (refusal(Limits(role), method, path) == "") is passes


def test_a_label_narrows_every_role() -> None:
    scoped = Limits(ADMIN, TEAM)
    assert refusal(scoped, "GET", "/containers/json") == ""
    assert "outside the scope" in refusal(scoped, "GET", "/volumes")
    assert "outside the scope" in refusal(scoped, "DELETE", "/images/x")


@pytest.mark.parametrize(
    ("config", "refused"),
    [
        ({}, ""),
        ({"Memory": 1 << 30, "PortBindings": {"80/tcp": [{"HostPort": "8080"}]}, "NetworkMode": "bridge"}, ""),
        ({"Binds": ["named:/x", "/anonymous"], "Mounts": [{"Type": "tmpfs", "Target": "/t"}]}, ""),
        ({"SecurityOpt": ["no-new-privileges"], "LogConfig": {"Type": "local"}, "CapAdd": []}, ""),
        ({"Privileged": True}, "Privileged"),
        ({"CapAdd": ["NET_ADMIN"]}, "CapAdd"),
        ({"Devices": [{"PathOnHost": "/dev/sda"}]}, "Devices"),
        ({"PidMode": "host"}, "PidMode=host"),
        ({"NetworkMode": "host"}, "NetworkMode=host"),
        ({"MaskedPaths": []}, "MaskedPaths"),
        ({"SecurityOpt": ["seccomp=unconfined"]}, "SecurityOpt"),
        ({"LogConfig": {"Type": "syslog"}}, "LogConfig"),
        ({"OomScoreAdj": -500}, "OomScoreAdj"),
        ({"VolumeDriver": "other"}, "VolumeDriver"),
        ({"Binds": ["/:/host"]}, "Binds: /:/host"),
        ({"Mounts": [{"Type": "bind", "Source": "/"}]}, "Mounts: type bind"),
        ({"Mounts": [{"Type": "container", "Source": "x"}]}, "Mounts: type container"),
        ({"Mounts": [{"Type": "volume", "VolumeOptions": BIND_OPTIONS}]}, "Mounts: driver options"),
        ({"VolumesFrom": ["x"]}, "VolumesFrom"),
        ({"CgroupParent": "/"}, "CgroupParent"),
        ({"Runtime": "crun"}, "Runtime"),
    ],
)  # fmt: skip
def test_what_reaches_the_host(config: dict[str, object], refused: str) -> None:
    assert host_access(config) == refused


def test_what_a_label_cannot_vouch_for() -> None:
    assert named_volumes({"Binds": ["/anonymous"]}) == ""
    assert named_volumes({"Binds": ["named:/x"]}) == "Binds: named:/x"
    assert named_volumes({"Mounts": [{"Type": "volume", "Source": "named"}]}) == "Mounts: named"
    assert named_volumes({"PidMode": "container:other"}) == "PidMode"


@pytest.mark.parametrize(
    ("path", "body", "refused"),
    [
        ("/containers/create", {"HostConfig": {"Privileged": True}}, "Privileged is refused on this socket"),
        ("/containers/x/update", {"Binds": ["/etc:/etc"]}, "Binds: /etc:/etc is refused on this socket"),
        ("/containers/x/update", {"Memory": 5}, ""),
        ("/containers/x/exec", {"Privileged": True, "Cmd": ["a"]}, "Privileged is refused on this socket"),
        ("/volumes/create", {"DriverOpts": {"o": "bind"}}, "DriverOpts is refused on this socket"),
        ("/volumes/create", {"Name": "x", "Driver": "local"}, ""),
        ("/networks/create", {"Driver": "macvlan"}, "Driver is refused on this socket"),
    ],
)
def test_bodies(path: str, body: dict[str, object], refused: str) -> None:
    assert body_refusal(Limits(RUN), path, body) == refused
    assert body_refusal(Limits(ADMIN), path, body) == ""
