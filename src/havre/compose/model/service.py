"""A service: every attribute of the Compose specification, as a frozen value."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct, field

from havre.compose.document.nodes import Node, Path, fault
from havre.compose.model import parts
from havre.compose.model import readers as read
from havre.compose.model.build import Build, build
from havre.compose.model.deploy import Deploy, deploy
from havre.compose.model.devices import Device, DeviceRequest, devices, gpus
from havre.compose.model.grants import Grant, grants
from havre.compose.model.hosts import extra_hosts
from havre.compose.model.limits import BlkioConfig, Ulimit, blkio_config, ulimits
from havre.compose.model.mounts import Mount, mounts
from havre.compose.model.ports import Port, ports
from havre.compose.model.values import NO_SIZE, Duration, Size

_RESTART = re.compile(r"(no|always|unless-stopped|on-failure(:[0-9]{1,9})?)\Z")
_PULL_POLICY = re.compile(r"(always|never|missing|if_not_present|build|refresh|daily|weekly|every_\S+)\Z")


class Service(Struct, frozen=True):
    """What one service's containers are made of. None and empty mean that the attribute was not given."""

    name: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    attach: bool | None = None
    blkio_config: BlkioConfig | None = None
    build: Build | None = None
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    cgroup: str = ""
    cgroup_parent: str = ""
    command: tuple[str, ...] | None = None
    configs: tuple[Grant, ...] = ()
    container_name: str = ""
    cpu_count: int = 0
    cpu_percent: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_rt_period: int = 0
    cpu_rt_runtime: int = 0
    cpu_shares: int = 0
    cpus: float = 0
    cpuset: str = ""
    credential_spec: parts.CredentialSpec | None = None
    depends_on: Mapping[str, parts.Dependency] = field(default_factory=dict)
    deploy: Deploy | None = None
    develop: parts.Develop | None = None
    device_cgroup_rules: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    dns: tuple[str, ...] = ()
    dns_opt: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    domainname: str = ""
    entrypoint: tuple[str, ...] | None = None
    env_file: tuple[parts.EnvFile, ...] = ()
    environment: Mapping[str, str | None] = field(default_factory=dict)
    expose: tuple[str, ...] = ()
    extends: parts.Extends | None = None
    external_links: tuple[str, ...] = ()
    extra_hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gpus: tuple[DeviceRequest, ...] = ()
    group_add: tuple[str, ...] = ()
    healthcheck: parts.Healthcheck | None = None
    hostname: str = ""
    image: str = ""
    init: bool | None = None
    ipc: str = ""
    isolation: str = ""
    label_file: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    links: tuple[str, ...] = ()
    logging: parts.Logging | None = None
    mac_address: str = ""
    mem_limit: Size = NO_SIZE
    mem_reservation: Size = NO_SIZE
    mem_swappiness: int | None = None
    memswap_limit: Size = NO_SIZE
    models: Mapping[str, object] = field(default_factory=dict)
    network_mode: str = ""
    networks: Mapping[str, parts.Attachment | None] = field(default_factory=dict)
    oom_kill_disable: bool = False
    oom_score_adj: int = 0
    pid: str = ""
    pids_limit: int = 0
    platform: str = ""
    ports: tuple[Port, ...] = ()
    post_start: tuple[parts.Hook, ...] = ()
    pre_start: tuple[Mapping[str, object], ...] = ()
    pre_stop: tuple[parts.Hook, ...] = ()
    privileged: bool = False
    profiles: tuple[str, ...] = ()
    provider: Mapping[str, object] = field(default_factory=dict)
    pull_policy: str = ""
    pull_refresh_after: str = ""
    read_only: bool = False
    restart: str = ""
    runtime: str = ""
    scale: int | None = None
    secrets: tuple[Grant, ...] = ()
    security_opt: tuple[str, ...] = ()
    shm_size: Size = NO_SIZE
    stdin_open: bool = False
    stop_grace_period: Duration | None = None
    stop_signal: str = ""
    storage_opt: Mapping[str, str] = field(default_factory=dict)
    sysctls: Mapping[str, str] = field(default_factory=dict)
    tmpfs: tuple[str, ...] = ()
    tty: bool = False
    ulimits: Mapping[str, Ulimit] = field(default_factory=dict)
    use_api_socket: bool = False
    user: str = ""
    userns_mode: str = ""
    uts: str = ""
    volumes: tuple[Mount, ...] = ()
    volumes_from: tuple[str, ...] = ()
    working_dir: str = ""
    extensions: Mapping[str, object] = field(default_factory=dict)

    @property
    def replicas(self) -> int:
        """How many containers it wants."""
        if self.scale is not None:
            return self.scale
        return 1 if self.deploy is None or self.deploy.replicas is None else self.deploy.replicas


def _matching(pattern: re.Pattern[str], expected: str) -> read.Reader[str]:
    def checked(node: Node, path: Path) -> str:
        value = read.anything(node, path)
        value = "no" if value == "false" else value
        if not pattern.match(value):
            raise fault(node, path, f"invalid value {value!r}: {expected} expected")
        return value

    return checked


_texts = read.tuple_of(read.text)
_words = read.one_or_many(read.text)

READERS: Mapping[str, read.Reader[object]] = {
    "annotations": read.texts_by_key,
    "attach": read.boolean,
    "blkio_config": blkio_config,
    "build": build,
    "cap_add": _texts,
    "cap_drop": _texts,
    "cgroup": read.one_of("host", "private"),
    "cgroup_parent": read.text,
    "command": parts.command,
    "configs": grants,
    "container_name": read.text,
    "cpu_count": read.integer,
    "cpu_percent": read.integer,
    "cpu_period": read.integer,
    "cpu_quota": read.integer,
    "cpu_rt_period": read.integer,
    "cpu_rt_runtime": read.integer,
    "cpu_shares": read.integer,
    "cpus": read.number,
    "cpuset": read.word,
    "credential_spec": parts.credential_spec,
    "depends_on": parts.depends_on,
    "deploy": deploy,
    "develop": parts.develop,
    "device_cgroup_rules": _texts,
    "devices": devices,
    "dns": _words,
    "dns_opt": _texts,
    "dns_search": _words,
    "domainname": read.text,
    "entrypoint": parts.command,
    "env_file": parts.env_files,
    "environment": read.key_values,
    "expose": read.tuple_of(read.word),
    "extends": parts.extends,
    "external_links": _texts,
    "extra_hosts": extra_hosts,
    "gpus": gpus,
    "group_add": read.tuple_of(read.word),
    "healthcheck": parts.healthcheck,
    "hostname": read.text,
    "image": read.text,
    "init": read.boolean,
    "ipc": read.text,
    "isolation": read.text,
    "label_file": _words,
    "labels": read.texts_by_key,
    "links": _texts,
    "logging": parts.logging,
    "mac_address": read.text,
    "mem_limit": read.size,
    "mem_reservation": read.size,
    "mem_swappiness": read.integer,
    "memswap_limit": read.size,
    "models": read.named(read.extension),
    "network_mode": read.text,
    "networks": parts.networks,
    "oom_kill_disable": read.boolean,
    "oom_score_adj": read.integer,
    "pid": read.anything,
    "pids_limit": read.integer,
    "platform": read.text,
    "ports": ports,
    "post_start": parts.hooks,
    "pre_start": read.tuple_of(read.mapping_of(read.extension)),
    "pre_stop": parts.hooks,
    "privileged": read.boolean,
    "profiles": _texts,
    "provider": read.mapping_of(read.extension),
    "pull_policy": _matching(_PULL_POLICY, "always, never, missing, build, daily, weekly or every_<duration>"),
    "pull_refresh_after": read.text,
    "read_only": read.boolean,
    "restart": _matching(_RESTART, "no, always, on-failure[:N] or unless-stopped"),
    "runtime": read.text,
    "scale": read.integer,
    "secrets": grants,
    "security_opt": _texts,
    "shm_size": read.size,
    "stdin_open": read.boolean,
    "stop_grace_period": read.duration,
    "stop_signal": read.word,
    "storage_opt": read.mapping_of(read.anything),
    "sysctls": read.texts_by_key,
    "tmpfs": _words,
    "tty": read.boolean,
    "ulimits": ulimits,
    "use_api_socket": read.boolean,
    "user": read.word,
    "userns_mode": read.text,
    "uts": read.text,
    "volumes": mounts,
    "volumes_from": _texts,
    "working_dir": read.text,
}

service = read.record(Service, READERS)
