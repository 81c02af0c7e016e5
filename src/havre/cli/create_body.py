"""From the options of `run` and `create` to the body of POST /containers/create."""

from __future__ import annotations

import os

from havre.cli import option_values as values
from havre.cli.flags import Given, UsageError
from havre.cli.units import parse_bytes, parse_cpus, parse_duration_ns, parse_swap_bytes
from havre.client.errors import ClientError
from havre.wire.container_config import HealthConfig, HostConfig, PortBinding, RestartPolicy
from havre.wire.containers import CreateContainer
from havre.wire.networks import EndpointSettings

_HEALTH_FLAGS = (
    "health-cmd", "health-interval", "health-timeout", "health-retries", "health-start-period",
    "health-start-interval",
)  # fmt: skip


def create_body(given: Given, *, attach: frozenset[str]) -> CreateContainer:
    """The request that the options and arguments ask for; *attach* holds some of stdin, stdout, stderr.

    Raises ClientError for files that can't be read and options that contradict each other.
    """
    image, *words = given.args
    body: CreateContainer = {
        "Hostname": given.text("hostname"),
        "Domainname": given.text("domainname"),
        "User": given.text("user"),
        "AttachStdin": "stdin" in attach,
        "AttachStdout": "stdout" in attach,
        "AttachStderr": "stderr" in attach,
        "Tty": given.switch("tty"),
        "OpenStdin": given.switch("interactive"),
        "StdinOnce": given.switch("interactive") and "stdin" in attach,
        "Env": environment(given),
        "Cmd": words or None,
        "Image": image,
        "WorkingDir": given.text("workdir"),
        "Labels": _pairs([*_lines(given.many("label-file")), *given.many("label")]),
        "HostConfig": _host_config(given),
        "NetworkingConfig": {"EndpointsConfig": {_network(given): _endpoint(given)}},
    }
    if given.changed("entrypoint"):
        body["Entrypoint"] = [given.text("entrypoint")]
    if given.changed("stop-signal"):
        body["StopSignal"] = given.text("stop-signal")
    if given.changed("stop-timeout"):
        body["StopTimeout"] = given.number("stop-timeout")
    if health := _health(given):
        body["Healthcheck"] = health
    ports = _exposed(given)
    if ports:
        body["ExposedPorts"] = {port: {} for port in ports}
    anonymous = [volume for volume in given.many("volume") if ":" not in volume]
    if anonymous:
        body["Volumes"] = {volume: {} for volume in anonymous}
    return body


def _host_config(given: Given) -> HostConfig:
    config: HostConfig = {
        "Binds": [_bind(volume) for volume in given.many("volume") if ":" in volume],
        "ContainerIDFile": given.text("cidfile"),
        "NetworkMode": _network(given),
        "PortBindings": _published(given.many("publish")),
        "PublishAllPorts": given.switch("publish-all"),
        "RestartPolicy": _restart(given.text("restart")),
        "AutoRemove": given.switch("rm"),
        "LogConfig": {"Type": given.text("log-driver"), "Config": _pairs(given.many("log-opt"))},
        "CapAdd": given.many("cap-add"),
        "CapDrop": given.many("cap-drop"),
        "Dns": given.many("dns"),
        "DnsOptions": given.many("dns-option"),
        "DnsSearch": given.many("dns-search"),
        "ExtraHosts": [_extra_host(entry) for entry in given.many("add-host")],
        "GroupAdd": given.many("group-add"),
        "Links": given.many("link"),
        "IpcMode": given.text("ipc"),
        "PidMode": given.text("pid"),
        "UTSMode": given.text("uts"),
        "UsernsMode": given.text("userns"),
        "CgroupnsMode": given.text("cgroupns"),
        "OomScoreAdj": given.number("oom-score-adj"),
        "Privileged": given.switch("privileged"),
        "ReadonlyRootfs": given.switch("read-only"),
        "SecurityOpt": [_security_option(option) for option in given.many("security-opt")],
        "StorageOpt": _pairs(given.many("storage-opt")),
        "Tmpfs": dict(entry.partition(":")[::2] for entry in given.many("tmpfs")),
        "Mounts": [values.mount(entry) for entry in given.many("mount")],
        "Sysctls": _pairs(given.many("sysctl")),
        "Annotations": _pairs(given.many("annotation")),
        "Runtime": given.text("runtime"),
        "Isolation": given.text("isolation"),
        "ShmSize": parse_bytes(given.text("shm-size")),
        "VolumeDriver": given.text("volume-driver"),
        "VolumesFrom": given.many("volumes-from"),
    }
    _resources(given, config)
    return config


def _resources(given: Given, config: HostConfig) -> None:
    config["Memory"] = parse_bytes(given.text("memory"))
    config["MemoryReservation"] = parse_bytes(given.text("memory-reservation"))
    config["MemorySwap"] = parse_swap_bytes(given.text("memory-swap"))
    config["MemorySwappiness"] = given.number("memory-swappiness")
    config["NanoCpus"] = parse_cpus(given.text("cpus") or "0")
    config["CpuShares"] = given.number("cpu-shares")
    config["CpuPeriod"] = given.number("cpu-period")
    config["CpuQuota"] = given.number("cpu-quota")
    config["CpuRealtimePeriod"] = given.number("cpu-rt-period")
    config["CpuRealtimeRuntime"] = given.number("cpu-rt-runtime")
    config["CpusetCpus"] = given.text("cpuset-cpus")
    config["CpusetMems"] = given.text("cpuset-mems")
    config["PidsLimit"] = given.number("pids-limit")
    config["OomKillDisable"] = given.switch("oom-kill-disable")
    config["BlkioWeight"] = given.number("blkio-weight")
    config["BlkioWeightDevice"] = [values.weight(entry) for entry in given.many("blkio-weight-device")]
    config["BlkioDeviceReadBps"] = [values.throttle(entry) for entry in given.many("device-read-bps")]
    config["BlkioDeviceWriteBps"] = [values.throttle(entry) for entry in given.many("device-write-bps")]
    config["BlkioDeviceReadIOps"] = [values.throttle(entry) for entry in given.many("device-read-iops")]
    config["BlkioDeviceWriteIOps"] = [values.throttle(entry) for entry in given.many("device-write-iops")]
    config["Devices"] = [values.device(entry) for entry in given.many("device")]
    config["DeviceCgroupRules"] = given.many("device-cgroup-rule")
    config["Ulimits"] = [values.ulimit(entry) for entry in given.many("ulimit")]
    config["CgroupParent"] = given.text("cgroup-parent")
    if given.changed("init"):
        config["Init"] = given.switch("init")


def _network(given: Given) -> str:
    """The one network that HostConfig names; its long form is `name=NET,alias=…`."""
    chosen = [*given.many("network"), *given.many("net")]
    if not chosen:
        return "default"
    for field in chosen[0].split(",") if "name=" in chosen[0] else ():
        key, _, value = field.partition("=")
        if key == "name":
            return value
    return chosen[0]


def _endpoint(given: Given) -> EndpointSettings:
    aliases = [*given.many("network-alias"), *given.many("net-alias")]
    endpoint: EndpointSettings = {"Aliases": aliases or None, "MacAddress": given.text("mac-address")}
    if given.text("ip") or given.text("ip6"):
        endpoint["IPAMConfig"] = {"IPv4Address": given.text("ip"), "IPv6Address": given.text("ip6")}
    return endpoint


def environment(given: Given) -> list[str]:
    """--env-file, then --env; a name alone takes the value that it has here, or is left out."""
    lines = [*_lines(given.many("env-file")), *given.many("env")]
    made = []
    for line in lines:
        name, equals, _ = line.partition("=")
        if not name:
            raise UsageError(f'invalid argument "{line}" for "-e, --env" flag: invalid environment variable: {line}')
        if equals:
            made.append(line)
        elif name in os.environ:
            made.append(f"{name}={os.environ[name]}")
    return made


def _lines(paths: list[str]) -> list[str]:
    found = []
    for path in paths:
        try:
            with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
                found += [line.lstrip().rstrip("\r\n") for line in file]
        except OSError as error:
            raise ClientError(f"open {path}: {(error.strerror or str(error)).lower()}") from error
    return [line for line in found if line and not line.startswith("#")]


def _pairs(entries: list[str]) -> dict[str, str]:
    return dict(entry.partition("=")[::2] for entry in entries)


def _bind(volume: str) -> str:
    source, _, rest = volume.partition(":")
    if source.startswith((".", "~")):
        source = os.path.abspath(os.path.expanduser(source))
    return f"{source}:{rest}"


def _extra_host(entry: str) -> str:
    host, separator, address = entry.partition("=")
    if not separator:
        host, separator, address = entry.partition(":")
    if not separator or not host:
        raise UsageError(f'invalid argument "{entry}" for "--add-host" flag: bad format for add-host: "{entry}"')
    return f"{host}:{address.removeprefix('[').removesuffix(']')}"


def _restart(text: str) -> RestartPolicy:
    name, colon, count = text.partition(":")
    if colon and not count.isdecimal():
        raise ClientError(f"invalid restart policy format: maximum retry count must be an integer: {count!r}")
    return {"Name": name, "MaximumRetryCount": int(count or 0)}


def _security_option(option: str) -> str:
    """A seccomp profile is a file here and its text for the daemon."""
    key, equals, value = option.partition("=")
    if key != "seccomp" or not equals or value in ("unconfined", "builtin"):
        return option
    import json

    try:
        with open(value, encoding="utf-8") as file:
            return "seccomp=" + json.dumps(json.load(file), separators=(",", ":"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ClientError(f"opening seccomp profile ({value}) failed: open {value}: {reason}") from error
    except ValueError as error:
        raise ClientError(f"compacting json for seccomp profile ({value}) failed: {error}") from error


def _health(given: Given) -> HealthConfig | None:
    asked = [name for name in _HEALTH_FLAGS if given.changed(name)]
    if given.switch("no-healthcheck"):
        if asked:
            raise ClientError("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    if not asked:
        return None
    health: HealthConfig = {
        "Interval": parse_duration_ns(given.text("health-interval")),
        "Timeout": parse_duration_ns(given.text("health-timeout")),
        "StartPeriod": parse_duration_ns(given.text("health-start-period")),
        "StartInterval": parse_duration_ns(given.text("health-start-interval")),
        "Retries": given.number("health-retries"),
    }
    if given.changed("health-cmd"):
        health["Test"] = ["CMD-SHELL", given.text("health-cmd")]
    return health


def _exposed(given: Given) -> list[str]:
    inside = [entry.rpartition(":")[2] for entry in given.many("publish")]
    return [port if "/" in port else f"{port}/tcp" for port in [*given.many("expose"), *inside]]


def _published(entries: list[str]) -> dict[str, list[PortBinding] | None]:
    made: dict[str, list[PortBinding] | None] = {}
    for entry in entries:
        head, _, inside = entry.rpartition(":")
        address, _, port = head.rpartition(":")
        key = inside if "/" in inside else f"{inside}/tcp"
        made[key] = [*(made.get(key) or []), {"HostIp": address.strip("[]"), "HostPort": port}]
    return made
