"""From services to create requests."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from havre.compose.body.around import OneOff, Surroundings
from havre.compose.body.container import create_body
from havre.compose.body.endpoints import Endpoints
from havre.compose.errors import ComposeError
from havre.compose.load import Wishes, load
from havre.wire.container_config import HostConfig
from havre.wire.containers import CreateContainer


def made(folder: Path, attributes: str, rest: str = "", **around: object) -> tuple[CreateContainer, Endpoints]:
    file = folder / "compose.yaml"
    file.write_text(f"name: p\nservices:\n  web: {{image: x, {attributes}}}\n{rest}")
    project = load(Wishes(files=(str(file),)), {"V": "v"}).project
    given = Surroundings(project, (1, 50), "sha256:1", {"db": "DB"})
    return create_body(project.services["web"], 2, replace(given, **around))


def host(folder: Path, attributes: str, rest: str = "", **around: object) -> HostConfig:
    return made(folder, attributes, rest, **around)[0].get("HostConfig") or {}


def test_names_and_labels(tmp_path: Path) -> None:
    body, networks = made(
        tmp_path, "labels: {own: l}, depends_on: {db: {condition: service_healthy}}", "  db: {image: x}"
    )
    labels = body.get("Labels") or {}
    prefix = "com.docker.compose."
    assert {key.removeprefix(prefix): value for key, value in labels.items()} == {
        "own": "l",
        "project": "p",
        "service": "web",
        "oneoff": "False",
        "config-hash": labels[f"{prefix}config-hash"],
        "project.working_dir": str(tmp_path),
        "project.config_files": f"{tmp_path}/compose.yaml",
        "image": "sha256:1",
        "depends_on": "db:service_healthy:false",
        "version": labels[f"{prefix}version"],
        "container-number": "2",
    }
    assert networks.mode == "p_default"
    assert networks.at_create == {"p_default": {"Aliases": ["p-web-2", "web"], "Links": []}}


def test_older_engines_join_further_networks_afterwards(tmp_path: Path) -> None:
    attributes = "mac_address: '02:42:ac:11:65:43', networks: {a: null, b: {priority: 5, aliases: [x]}}"
    rest = "networks: {a: null, b: null}"
    body, networks = made(tmp_path, attributes, rest, api=(1, 41))
    assert (networks.mode, list(networks.at_create), list(networks.afterwards)) == ("p_b", ["p_b"], ["p_a"])
    assert body.get("MacAddress") == "02:42:ac:11:65:43"
    body, networks = made(tmp_path, attributes, rest)
    assert (list(networks.at_create), networks.afterwards) == (["p_b", "p_a"], {})
    assert "MacAddress" not in body
    assert (networks.at_create["p_a"] or {}).get("MacAddress") == "02:42:ac:11:65:43"


def test_shared_namespaces_and_links(tmp_path: Path) -> None:
    rest = "  db: {image: x}"
    attributes = (
        "network_mode: 'service:db', ipc: 'service:db', pid: 'service:db', volumes_from: ['db:ro', 'container:c']"
    )
    config = host(tmp_path, attributes, rest)
    assert config.get("NetworkMode") == "container:DB"
    assert config.get("IpcMode") == config.get("PidMode") == "container:DB"
    assert config.get("VolumesFrom") == ["DB:ro", "c"]
    _, networks = made(tmp_path, "links: ['db:database', db], external_links: [r]", rest)
    assert (networks.at_create["p_default"] or {}).get("Links") == ["DB:database", "DB:db", "r:r"]


def test_volumes(tmp_path: Path) -> None:
    attributes = """volumes: [/anon, 'd:/d:ro', './x:/x', {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0700}},
      {type: volume, source: d, target: /s, volume: {subpath: a}}, {type: image, source: i, target: /i},
      {type: bind, source: /b, target: /b,
       bind: {create_host_path: false, recursive: disabled, propagation: shared}}]"""
    body, _ = made(tmp_path, attributes, "volumes: {d: null}")
    config = body.get("HostConfig") or {}
    assert body.get("Volumes") == {"/anon": {}}
    assert config.get("Binds") == ["p_d:/d:ro", f"{tmp_path}/x:/x:rw"]
    assert config.get("Mounts") == [
        {"Type": "tmpfs", "Target": "/t", "ReadOnly": False, "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o700}},
        {"Type": "volume", "Target": "/s", "ReadOnly": False, "Source": "p_d",
         "VolumeOptions": {"NoCopy": False, "Subpath": "a"}},
        {"Type": "image", "Target": "/i", "ReadOnly": False, "Source": "i"},
        {"Type": "bind", "Target": "/b", "ReadOnly": False, "Source": "/b",
         "BindOptions": {"Propagation": "shared", "NonRecursive": True}},
    ]  # fmt: skip


def test_anonymous_volumes_are_carried_over(tmp_path: Path) -> None:
    body, _ = made(tmp_path, "volumes: [/anon]", inherited={"/anon": "vol1", "/of-image": "vol2"})
    assert "Volumes" not in body
    assert (body.get("HostConfig") or {}).get("Binds") == ["vol1:/anon:rw", "vol2:/of-image"]


def test_secrets_that_are_files_are_mounted(tmp_path: Path) -> None:
    rest = "secrets: {a: {file: ./a}, b: {environment: V}, c: {file: ./c}}"
    config = host(tmp_path, "secrets: [a, b, {source: c, mode: 0400}]", rest)
    assert config.get("Mounts") == [
        {"Type": "bind", "Source": f"{tmp_path}/a", "Target": "/run/secrets/a", "ReadOnly": True}
    ]
    with pytest.raises(ComposeError, match="external secret"):
        host(tmp_path, "secrets: [a]", "secrets: {a: {external: true}}")


def test_restart_and_deploy(tmp_path: Path) -> None:
    assert host(tmp_path, "restart: 'on-failure:3'").get("RestartPolicy") == {
        "Name": "on-failure", "MaximumRetryCount": 3,
    }  # fmt: skip
    assert host(tmp_path, "tty: true").get("RestartPolicy") == {"Name": "no", "MaximumRetryCount": 0}
    policy = "restart_policy: {condition: on-failure, max_attempts: 2}"
    deploy = f"deploy: {{{policy}, resources: {{limits: {{cpus: 0.5, memory: 1m}}}}}}"
    config = host(tmp_path, deploy)
    assert config.get("RestartPolicy") == {"Name": "on-failure", "MaximumRetryCount": 2}
    assert (config.get("NanoCpus"), config.get("Memory")) == (5 * 10**8, 1 << 20)
    assert host(tmp_path, "deploy: {restart_policy: {}}").get("RestartPolicy") == {
        "Name": "always", "MaximumRetryCount": 0,
    }  # fmt: skip


def test_ports_devices_and_limits(tmp_path: Path) -> None:
    config = host(
        tmp_path,
        "ports: ['80:81', '127.0.0.1::82/udp'], devices: ['/dev/a:/dev/b:r', 'v.com/d=x'], gpus: all, "
        "ulimits: {nofile: {soft: 1, hard: 2}}, tmpfs: ['/t:mode=1'], extra_hosts: {a: [1.1.1.1, 2.2.2.2]}",
    )
    assert config.get("PortBindings") == {
        "81/tcp": [{"HostIp": "", "HostPort": "80"}],
        "82/udp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
    }
    assert config.get("Devices") == [{"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"}]
    assert [one.get("Driver") for one in config.get("DeviceRequests") or ()] == ["", "cdi"]
    assert config.get("Ulimits") == [{"Name": "nofile", "Soft": 1, "Hard": 2}]
    assert config.get("Tmpfs") == {"/t": "mode=1"}
    assert config.get("ExtraHosts") == ["a:1.1.1.1", "a:2.2.2.2"]


def test_commands_health_and_ends(tmp_path: Path) -> None:
    body, _ = made(
        tmp_path, "command: a 'b c', entrypoint: [], stop_grace_period: 1500ms, healthcheck: {disable: true}"
    )
    assert (body.get("Cmd"), body.get("Entrypoint"), body.get("StopTimeout")) == (["a", "b c"], [""], 2)
    assert body.get("Healthcheck") == {"Test": ["NONE"]}
    body, _ = made(tmp_path, "healthcheck: {test: x, interval: 1s, retries: 0}")
    assert body.get("Healthcheck") == {"Test": ["CMD-SHELL", "x"], "Interval": 10**9, "Retries": 0}
    assert "Cmd" not in body


def test_one_off_containers(tmp_path: Path) -> None:
    body, networks = made(tmp_path, "stdin_open: true", oneoff=OneOff("abc", removed=True))
    labels = body.get("Labels") or {}
    assert labels["com.docker.compose.oneoff"] == "True"
    assert labels["com.docker.compose.slug"] == "abc"
    assert "com.docker.compose.container-number" not in labels
    assert (body.get("HostConfig") or {}).get("AutoRemove") is True
    assert body.get("StdinOnce") is True
    assert (networks.at_create["p_default"] or {}).get("Aliases") == []


def test_seccomp_profiles_travel_as_their_content(tmp_path: Path) -> None:
    profile = tmp_path / "s.json"
    profile.write_text('{"defaultAction":\n "SCMP_ACT_ALLOW"}')
    config = host(tmp_path, f"security_opt: ['seccomp:{profile}', 'systempaths=unconfined', label=disable]")
    assert config.get("SecurityOpt") == ['seccomp={"defaultAction": "SCMP_ACT_ALLOW"}', "label=disable"]
    assert config.get("MaskedPaths") == []


def test_the_engines_own_socket(tmp_path: Path) -> None:
    assert host(tmp_path, "use_api_socket: true", socket="/run/x.sock").get("Binds") == [
        "/run/x.sock:/var/run/docker.sock"
    ]
    with pytest.raises(ComposeError, match="needs a daemon on a unix socket"):
        host(tmp_path, "use_api_socket: true")
