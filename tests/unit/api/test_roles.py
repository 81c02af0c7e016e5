from __future__ import annotations

import pytest

from havre.api.roles import (
    ADMIN,
    READ,
    RUN,
    Limits,
    body_refusal,
    build_refusal,
    enters,
    host_access,
    named_volumes,
    refusal,
    shared_with,
)

TEAM = ("team", "a")
BIND_OPTIONS = {"DriverConfig": {"Options": {"o": "bind"}}}
FOREIGN_DRIVER = {"DriverConfig": {"Name": "other"}}
BRIDGE_NAME = "com.docker.network.bridge.name"


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
        (READ, "GET", "/distribution/a:5000/b/json", False),
        (READ, "GET", "/images/search", False),
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
        ({"Mounts": [{"Type": "volume", "VolumeOptions": FOREIGN_DRIVER}]}, "Mounts: driver options"),
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
    assert named_volumes({"Links": ["other:alias"]}) == "Links"  # the environment of the other comes along


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/containers/x/exec", True),
        ("/containers/x/attach", True),
        ("/containers/x/attach/ws", True),
        ("/containers/x/archive", True),
        ("/exec/x/start", True),
        ("/containers/x/json", False),
        ("/containers/x/stop", False),
        ("/exec/x/json", False),
    ],
)
def test_what_gets_into_a_container(path: str, found: bool) -> None:  # noqa: FBT001  a row
    assert enters(path) is found


def test_whose_namespaces_are_asked_for() -> None:
    assert shared_with({"PidMode": "container:a", "NetworkMode": "container:b", "IpcMode": "private"}) == ["b", "a"]
    assert shared_with({}) == []


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ({}, ""),
        ({"networkmode": ["none"], "allow": [""], "t": ["x"]}, ""),
        ({"networkmode": ["none", "host"]}, "networkmode is refused on this socket"),
        ({"networkmode": ["container:x"]}, "networkmode is refused on this socket"),
        ({"allow": ["", "security.insecure"]}, "allow is refused on this socket"),
        ({"securityopt": ['["seccomp=unconfined"]']}, "securityopt is refused on this socket"),
        ({"cgroupparent": ["/x"]}, "cgroupparent is refused on this socket"),
    ],
)
def test_builds(query: dict[str, list[str]], refused: str) -> None:
    def values(key: str) -> list[str]:
        return query.get(key, [])

    assert build_refusal(Limits(RUN), values) == refused
    assert build_refusal(Limits(ADMIN), values) == ""


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
        (
            "/networks/create",
            {"Driver": "bridge", "Options": {BRIDGE_NAME: "lan"}},
            f"{BRIDGE_NAME} is refused on this socket",
        ),
    ],
)
def test_bodies(path: str, body: dict[str, object], refused: str) -> None:
    assert body_refusal(Limits(RUN), path, body) == refused
    assert body_refusal(Limits(ADMIN), path, body) == ""
