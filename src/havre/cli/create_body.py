"""From the options of `run` and `create` to the body of POST /containers/create."""

from __future__ import annotations

import os

from havre.cli import option_values as values
from havre.cli.flags import Given, UsageError
from havre.cli.network_options import networks
from havre.cli.publishing import exposed, published
from havre.cli.units import parse_bytes, parse_cpus, parse_duration_ns, parse_swap_bytes
from havre.client.errors import ClientError
from havre.wire.container_config import DeviceRequest, HealthConfig, HostConfig, PortBinding, RestartPolicy
from havre.wire.containers import CreateContainer

_HEALTH_FLAGS = (
    "health-cmd", "health-interval", "health-timeout", "health-retries", "health-start-period",
    "health-start-interval",
)  # fmt: skip


def create_body(given: Given, *, attach: frozenset[str]) -> CreateContainer:
    """The request that the options and arguments ask for; *attach* holds some of stdin, stdout, stderr.

    Raises ClientError for files that can't be read and options that contradict each other.
    """
    image, *words = given.args
    endpoints, config = networks(given), _host_config(given)
    config["NetworkMode"] = next(iter(endpoints))
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
        "Labels": pairs([*_lines(given.many("label-file")), *given.many("label")]),
        "HostConfig": config,
        "NetworkingConfig": {"EndpointsConfig": endpoints},
    }
    if given.changed("health-on-failure"):
        body["Labels"] = {**(body.get("Labels") or {}), "havre.health-on-failure": given.text("health-on-failure")}
    if given.changed("entrypoint"):
        body["Entrypoint"] = [given.text("entrypoint")]
    if given.changed("stop-signal"):
        body["StopSignal"] = given.text("stop-signal")
    if given.changed("stop-timeout"):
        body["StopTimeout"] = given.number("stop-timeout")
    if health := _health(given):
        body["Healthcheck"] = health
    exposed = _exposed(given, config.get("PortBindings") or {})
    if exposed:
        body["ExposedPorts"] = {port: {} for port in exposed}
    anonymous = [volume for volume in given.many("volume") if ":" not in volume]
    if anonymous:
        body["Volumes"] = {volume: {} for volume in anonymous}
    return body


def _host_config(given: Given) -> HostConfig:
    config: HostConfig = {
        "Binds": [bind(volume) for volume in given.many("volume") if ":" in volume],
        "ContainerIDFile": given.text("cidfile"),
        "PortBindings": published(given.many("publish")),
        "PublishAllPorts": given.switch("publish-all"),
        "RestartPolicy": restart_policy(given.text("restart")),
        "AutoRemove": given.switch("rm"),
        "LogConfig": {"Type": given.text("log-driver"), "Config": pairs(given.many("log-opt"))},
        "CapAdd": [_capability(name) for name in given.many("cap-add")],
        "CapDrop": [_capability(name) for name in given.many("cap-drop")],
        "Dns": given.many("dns"),
        "DnsOptions": [*given.many("dns-option"), *given.many("dns-opt")],
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
        "StorageOpt": pairs(given.many("storage-opt")),
        "Tmpfs": dict(entry.partition(":")[::2] for entry in given.many("tmpfs")),
        "Mounts": [values.mount(entry) for entry in given.many("mount")],
        "Sysctls": pairs(given.many("sysctl")),
        "Annotations": pairs(given.many("annotation")),
        "Runtime": given.text("runtime"),
        "Isolation": given.text("isolation"),
        "ShmSize": parse_bytes(given.text("shm-size")),
        "VolumeDriver": given.text("volume-driver"),
        "VolumesFrom": given.many("volumes-from"),
    }
    _resources(given, config)
    _security(given, config)
    return config


def _security(given: Given, config: HostConfig) -> None:
    options = given.many("security-opt")
    if "systempaths=unconfined" in options:  # it travels as two empty lists
        config["MaskedPaths"], config["ReadonlyPaths"] = [], []
    config["SecurityOpt"] = [_security_option(option) for option in options if option != "systempaths=unconfined"]


def _capability(name: str) -> str:
    upper = name.upper()
    return upper if upper == "ALL" or upper.startswith("CAP_") else f"CAP_{upper}"


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
    cdi = [entry for entry in given.many("device") if values.is_cdi(entry)]
    config["Devices"] = [values.device(entry) for entry in given.many("device") if entry not in cdi]
    if cdi:
        asked: DeviceRequest = {"Driver": "cdi", "Count": 0, "DeviceIDs": cdi, "Capabilities": None, "Options": None}
        config["DeviceRequests"] = [asked]
    if given.changed("gpus"):
        config["DeviceRequests"] = [
            *(config.get("DeviceRequests") or ()),
            *(values.gpus(entry) for entry in given.many("gpus")),
        ]
    for field, flag in (("CpuCount", "cpu-count"), ("CpuPercent", "cpu-percent"), ("IOMaximumIOps", "io-maxiops")):
        if given.changed(flag):
            config[field] = given.number(flag)  # type: ignore[literal-required]  # the three names above
    if given.changed("io-maxbandwidth"):
        config["IOMaximumBandwidth"] = parse_bytes(given.text("io-maxbandwidth"))
    config["DeviceCgroupRules"] = given.many("device-cgroup-rule")
    config["Ulimits"] = [values.ulimit(entry) for entry in given.many("ulimit")]
    config["CgroupParent"] = given.text("cgroup-parent")
    if given.changed("init"):
        config["Init"] = given.switch("init")


def environment(given: Given) -> list[str]:
    """--env-file, then --env; a name alone takes the value that it has here, or unsets one of the image."""
    lines = [*_lines(given.many("env-file")), *given.many("env")]
    made = []
    for line in lines:
        name, equals, _ = line.partition("=")
        if not name:
            raise UsageError(f'invalid argument "{line}" for "-e, --env" flag: invalid environment variable: {line}')
        made.append(line if equals or name not in os.environ else f"{name}={os.environ[name]}")
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


def pairs(entries: list[str]) -> dict[str, str]:
    """`key=value` entries; a key alone has the empty value."""
    return dict(entry.partition("=")[::2] for entry in entries)


def bind(volume: str) -> str:
    """`-v` with a source that may be relative to this folder or to the user's home."""
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


def restart_policy(text: str) -> RestartPolicy:
    """`on-failure:3`. Raises ClientError."""
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


def _exposed(given: Given, bound: dict[str, list[PortBinding] | None]) -> list[str]:
    return [*bound, *exposed(given.many("expose"))]
