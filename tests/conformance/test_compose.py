"""Compose files: docker-compose 1.29 and `havre compose` make the same of them, on the reference and on Havre."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.engines import Engine, Havre, Reference, run_client

pytestmark = [pytest.mark.root, pytest.mark.reference]

OLD = ["docker-compose"]
OURS = [sys.executable, "-m", "havre.cli.main", "compose"]
APPLICATION = """
version: "3.9"
x-common: &common
  image: busybox
  command: sleep 1000
  stop_signal: SIGKILL
services:
  limits:
    <<: *common
    mem_limit: 50m
    mem_reservation: 20m
    memswap_limit: 100m
    cpus: 0.5
    cpu_shares: 512
    cpuset: "0"
    pids_limit: 50
    shm_size: 32m
    ulimits: {nofile: {soft: 1000, hard: 2000}, nproc: 500}
    stop_grace_period: 1m30s
  who:
    <<: *common
    user: "1000:1000"
    working_dir: /tmp
    hostname: web1
    domainname: example.com
    entrypoint: /bin/sh -c "sleep 1000"
    tty: true
    stdin_open: true
    read_only: true
    init: true
    group_add: ["1000"]
    cap_add: [NET_ADMIN]
    cap_drop: [CHOWN]
    security_opt: ["no-new-privileges:true"]
    environment: {A: "1", B: "x y", E: ""}
    labels: {com.example.a: one}
    expose: ["3000", "4000/udp"]
  net:
    <<: *common
    dns: 10.1.2.3
    dns_opt: [ndots:2]
    dns_search: [a.example.com, b.example.com]
    extra_hosts: ["somehost:10.9.8.7"]
    sysctls: {net.core.somaxconn: "1024"}
    networks: {front: {aliases: [w1], ipv4_address: 10.77.0.9}}
    ports: ["18081:80", "127.0.0.1:18082:81/udp"]
  bridged:
    <<: *common
    network_mode: bridge
    logging: {driver: json-file, options: {max-size: 10m}}
    restart: on-failure:3
  store:
    <<: *common
    volumes:
      - /anon
      - data:/var/lib/data
      - ./x:/x:ro
      - {type: bind, source: ./x, target: /y, read_only: true}
      - {type: tmpfs, target: /t, tmpfs: {size: 1048576}}
    tmpfs: ["/run", "/tmp:mode=1777"]
    devices: ["/dev/null:/dev/n:r"]
  shared:
    <<: *common
    network_mode: "service:bridged"
    pid: host
    depends_on: [bridged]
    healthcheck: {test: ["CMD", "true"], interval: 1m, timeout: 5s, retries: 2, start_period: 3s}
    restart: unless-stopped
  nohealth:
    <<: *common
    healthcheck: {disable: true}
    userns_mode: host
volumes:
  data: {labels: {k: v}, driver_opts: {type: tmpfs, device: tmpfs, o: size=1m}}
networks:
  front: {labels: {k: v}, ipam: {config: [{subnet: 10.77.0.0/24}]}}
"""
# What differs between two runs, or between Compose's own two generations.
OWN = (
    "Id",
    "Created",
    "Hostname",
    "config-hash",
    "project.config_files",
    "compose.version",
    "compose.image",
    "compose.depends_on",
)
GENERATIONS = ("AttachStdout", "AttachStderr", "Attachable", "ConsoleSize")


def compose(engine: Engine, line: list[str], folder: Path, *words: str) -> str:
    environment = {**engine.environment(), "PYTHONPATH": f"{Path(__file__).parents[2]}/src"}
    done = run_client(
        [*line, "-p", "conf", "--project-directory", str(folder), "-f", str(folder / "docker-compose.yml"), *words],
        environment, check=True, stdin=None, timeout_s=120,
    )  # fmt: skip
    return done.stdout.decode()


def settled(value: object, path: str = "") -> object:
    """Without what differs in any case; empty values are none."""
    if isinstance(value, Mapping):
        made = {
            key: settled(one, f"{path}.{key}")
            for key, one in value.items()
            if not any(key.endswith(own) for own in (*OWN, *GENERATIONS))
            or (key == "Hostname" and path.endswith("who"))
        }
        return {key: one for key, one in made.items() if one not in (None, "", [], {}, "no", False, 0)}
    if isinstance(value, list):
        return sorted((settled(one, path) for one in value), key=str)
    return re.sub(r"[0-9a-f]{64}", "ID", value) if isinstance(value, str) else value


def made_by(engine: Engine, line: list[str], folder: Path) -> dict[str, object]:
    """What `docker inspect` tells of the application, by service, network and volume."""
    compose(engine, line, folder, "up", "-d")
    try:
        mark = ("--filter", "label=com.docker.compose.project=conf")
        found: dict[str, object] = {}
        for row in json.loads(engine.out("inspect", *engine.out("ps", "-aq", *mark).split())):
            service = row["Config"]["Labels"]["com.docker.compose.service"]
            endpoints = row["NetworkSettings"]["Networks"]
            found[service] = settled(
                {
                    "Config": row["Config"],
                    "HostConfig": row["HostConfig"],
                    "networks": {
                        name: {"own": one["IPAMConfig"], "alias": service in (one["Aliases"] or ())}
                        for name, one in endpoints.items()
                        if name != "bridge"
                    },
                },
                service,
            )
        for row in json.loads(engine.out("network", "inspect", *engine.out("network", "ls", "-q", *mark).split())):
            if row["Name"] != "conf_default":  # the pool hands out another subnet each time
                found[row["Name"]] = settled(
                    {key: row[key] for key in ("Driver", "Internal", "IPAM", "Labels", "Options")}
                )
        for row in json.loads(engine.out("volume", "inspect", *engine.out("volume", "ls", "-q", *mark).split())):
            found[row["Name"]] = settled({key: row[key] for key in ("Driver", "Labels", "Options")})
        return found
    finally:
        compose(engine, line, folder, "down", "-v")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docker-compose.yml").write_text(APPLICATION)
    (tmp_path / "x").mkdir()
    return tmp_path


def test_both_generations_make_the_same(reference: Reference, folder: Path) -> None:
    assert made_by(reference, OURS, folder) == made_by(reference, OLD, folder)


def test_docker_compose_itself_on_havre(havre: Havre, folder: Path) -> None:
    compose(havre, OLD, folder, "up", "-d")
    try:
        running = compose(havre, OLD, folder, "ps", "--services", "--filter", "status=running").split()
        assert sorted(running) == ["bridged", "limits", "net", "nohealth", "shared", "store", "who"]
        assert compose(havre, OLD, folder, "exec", "-T", "store", "cat", "/proc/1/comm") == "sleep\n"
        compose(havre, OLD, folder, "stop", "net")
        compose(havre, OLD, folder, "start", "net")
    finally:
        compose(havre, OLD, folder, "down", "-v")
    assert havre.out("ps", "-aq") == ""


def test_each_generation_sees_the_others_containers(havre: Havre, folder: Path) -> None:
    compose(havre, OLD, folder, "up", "-d", "limits", "net")
    try:
        rows = [json.loads(line) for line in compose(havre, OURS, folder, "ps", "--format", "json").splitlines()]
        assert sorted(row["Service"] for row in rows) == ["limits", "net"]
    finally:
        compose(havre, OURS, folder, "down", "-v")
    assert havre.out("ps", "-aq") == ""
    assert havre.out("network", "ls", "-q", "--filter", "label=com.docker.compose.project=conf") == ""
