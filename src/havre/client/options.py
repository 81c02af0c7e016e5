"""What a Python program may wish for a container, in the words of `docker run`, and the request that it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from havre.wire.container_config import HostConfig, PortBinding
from havre.wire.containers import CreateContainer

_PERIOD_NS = 1_000_000_000


class Options(TypedDict, total=False):
    """Wishes for one container; each is a flag of `docker run`.

    *ports* leads ports of the container (`80` or `"53/udp"`) to one of the host, to `"address:port"`, or with 0 to a
    free one. *volumes* are texts as after `-v`. *cpus* is a number of processors, *memory_bytes* a limit.
    *config* and *host* are further fields of the API's request, and win.
    """

    name: str
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    ports: Mapping[int | str, int | str]
    volumes: Sequence[str]
    network: str
    user: str
    working_dir: str
    entrypoint: Sequence[str]
    hostname: str
    memory_bytes: int
    cpus: float
    restart: str
    privileged: bool
    read_only: bool
    init: bool
    tty: bool
    config: CreateContainer
    host: HostConfig


def request_of(image: str, command: Sequence[str], options: Options) -> CreateContainer:
    """The body of POST /containers/create that asks for a container of *image*."""
    ports = {_port(inside): _binding(outside) for inside, outside in options.get("ports", {}).items()}
    body = CreateContainer(
        Image=image,
        Env=[f"{name}={value}" for name, value in options.get("environment", {}).items()],
        Labels=dict(options.get("labels", {})),
        User=options.get("user", ""),
        WorkingDir=options.get("working_dir", ""),
        Hostname=options.get("hostname", ""),
        Tty=options.get("tty", False),
        ExposedPorts={inside: {} for inside in ports},
        HostConfig=_host(options, ports),
    )
    if command:
        body["Cmd"] = list(command)
    if "entrypoint" in options:
        body["Entrypoint"] = list(options["entrypoint"])
    body.update(options.get("config", {}))
    return body


def _host(options: Options, ports: dict[str, list[PortBinding]]) -> HostConfig:
    name, _, count = options.get("restart", "").partition(":")
    host = HostConfig(
        Binds=list(options.get("volumes", [])),
        PortBindings=dict(ports),
        NetworkMode=options.get("network", "default"),
        Memory=options.get("memory_bytes", 0),
        NanoCpus=round(options.get("cpus", 0) * _PERIOD_NS),
        RestartPolicy={"Name": name or "no", "MaximumRetryCount": int(count or 0)},
        Privileged=options.get("privileged", False),
        ReadonlyRootfs=options.get("read_only", False),
    )
    if "init" in options:
        host["Init"] = options["init"]
    host.update(options.get("host", {}))
    return host


def _port(inside: int | str) -> str:
    text = str(inside)
    return text if "/" in text else f"{text}/tcp"


def _binding(outside: int | str) -> list[PortBinding]:
    address, _, port = str(outside).rpartition(":")
    return [{"HostIp": address.strip("[]"), "HostPort": "" if port == "0" else port}]
