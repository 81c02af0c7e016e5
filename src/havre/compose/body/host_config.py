"""The half of a container that ties it to its host: limits, namespaces, devices, security."""

from __future__ import annotations

import json
from collections.abc import Mapping

from havre.compose.document.files import read_text
from havre.compose.errors import ComposeError
from havre.compose.model.deploy import Limits, Reservations
from havre.compose.model.devices import DeviceRequest as Request
from havre.compose.model.limits import BlkioConfig
from havre.compose.model.limits import Throttle as Rate
from havre.compose.model.service import Service
from havre.wire.container_config import (
    DeviceMapping,
    DeviceRequest,
    HostConfig,
    PortBinding,
    RestartPolicy,
    ThrottleDevice,
)

_CONDITIONS = {"none": "no", "on-failure": "on-failure", "any": "always", "always": "always"}


def host_config(service: Service, containers: Mapping[str, str]) -> HostConfig:
    """Everything but networks and mounts. *containers* are ids by service, for shared namespaces."""
    config: HostConfig = {
        "PortBindings": _port_bindings(service),
        "RestartPolicy": restart_policy(service),
        "CapAdd": list(service.cap_add),
        "CapDrop": list(service.cap_drop),
        "CgroupnsMode": service.cgroup,
        "Dns": list(service.dns),
        "DnsOptions": list(service.dns_opt),
        "DnsSearch": list(service.dns_search),
        "ExtraHosts": [f"{name}:{one}" for name, all_ in service.extra_hosts.items() for one in all_],
        "GroupAdd": list(service.group_add),
        "IpcMode": _shared(service.ipc, containers),
        "PidMode": _shared(service.pid, containers),
        "UTSMode": service.uts,
        "UsernsMode": service.userns_mode,
        "OomScoreAdj": service.oom_score_adj,
        "Privileged": service.privileged,
        "ReadonlyRootfs": service.read_only,
        "StorageOpt": dict(service.storage_opt),
        "Sysctls": dict(service.sysctls),
        "Tmpfs": dict(entry.partition(":")[::2] for entry in service.tmpfs),
        "Runtime": service.runtime,
        "Isolation": service.isolation,
        "ShmSize": int(service.shm_size),
        "VolumesFrom": [_volumes_from(entry, containers) for entry in service.volumes_from],
    }
    if service.annotations:
        config["Annotations"] = dict(service.annotations)
    if service.init is not None:
        config["Init"] = service.init
    if service.logging:
        config["LogConfig"] = {"Type": service.logging.driver, "Config": dict(service.logging.options)}
    _security(service, config)
    _resources(service, config)
    _devices(service, config)
    return config


def restart_policy(service: Service) -> RestartPolicy:
    """`restart`, else what `deploy.restart_policy` means on one host."""
    if service.restart:
        name, _, count = service.restart.partition(":")
        return {"Name": name, "MaximumRetryCount": int(count or 0)}
    policy = service.deploy.restart_policy if service.deploy else None
    if policy is None:
        return {"Name": "no", "MaximumRetryCount": 0}
    name = _CONDITIONS.get(policy.condition or "any", policy.condition)
    return {"Name": name, "MaximumRetryCount": (policy.max_attempts or 0) if name == "on-failure" else 0}


def _port_bindings(service: Service) -> dict[str, list[PortBinding] | None]:
    made: dict[str, list[PortBinding] | None] = {}
    for port in service.ports:
        held = made.setdefault(f"{port.target}/{port.protocol}", [])
        if held is not None:
            held.append({"HostIp": port.host_ip, "HostPort": port.published})
    return made


def _shared(mode: str, containers: Mapping[str, str]) -> str:
    return f"container:{containers[mode.removeprefix('service:')]}" if mode.startswith("service:") else mode


def _volumes_from(entry: str, containers: Mapping[str, str]) -> str:
    if entry.startswith("container:"):
        return entry.removeprefix("container:")
    name, colon, mode = entry.partition(":")
    return f"{containers[name]}{colon}{mode}"


def _security(service: Service, config: HostConfig) -> None:
    options = [_security_option(option) for option in service.security_opt]
    if "systempaths=unconfined" in options:  # it travels as two empty lists
        config["MaskedPaths"], config["ReadonlyPaths"] = [], []
    config["SecurityOpt"] = [option for option in options if option != "systempaths=unconfined"]


def _security_option(option: str) -> str:
    """A seccomp profile travels as its content."""
    name, sign, value = option.partition("=")
    if not sign:
        name, sign, value = option.partition(":")
    if name != "seccomp" or value in ("unconfined", "builtin", ""):
        return option
    try:
        return f"seccomp={json.dumps(json.loads(read_text(value)))}"
    except ValueError as error:
        raise ComposeError(f"seccomp profile {value}: is no JSON: {error}") from error


def _resources(service: Service, config: HostConfig) -> None:
    resources = service.deploy.resources if service.deploy else None
    limits = (resources.limits if resources else None) or Limits()
    reserved = (resources.reservations if resources else None) or Reservations()
    config["Memory"] = int(limits.memory or service.mem_limit)
    config["MemoryReservation"] = int(reserved.memory or service.mem_reservation)
    config["MemorySwap"] = int(service.memswap_limit)
    config["NanoCpus"] = round((limits.cpus or service.cpus) * 10**9)
    config["CpuShares"] = service.cpu_shares
    config["CpuPeriod"] = service.cpu_period
    config["CpuQuota"] = service.cpu_quota
    config["CpuRealtimePeriod"] = service.cpu_rt_period
    config["CpuRealtimeRuntime"] = service.cpu_rt_runtime
    config["CpusetCpus"] = service.cpuset
    config["CgroupParent"] = service.cgroup_parent
    config["OomKillDisable"] = service.oom_kill_disable
    if service.mem_swappiness is not None:
        config["MemorySwappiness"] = service.mem_swappiness
    if pids := limits.pids or service.pids_limit:
        config["PidsLimit"] = pids
    if service.cpu_count:
        config["CpuCount"] = service.cpu_count
    if service.cpu_percent:
        config["CpuPercent"] = service.cpu_percent
    config["Ulimits"] = [
        {"Name": name, "Soft": limit.soft, "Hard": limit.hard} for name, limit in service.ulimits.items()
    ]
    if service.blkio_config:
        _blkio(service.blkio_config, config)


def _blkio(wished: BlkioConfig, config: HostConfig) -> None:
    def rates(given: tuple[Rate, ...]) -> list[ThrottleDevice]:
        return [{"Path": one.path, "Rate": int(one.rate)} for one in given]

    config["BlkioWeight"] = wished.weight
    config["BlkioWeightDevice"] = [{"Path": one.path, "Weight": one.weight} for one in wished.weight_device]
    config["BlkioDeviceReadBps"] = rates(wished.device_read_bps)
    config["BlkioDeviceReadIOps"] = rates(wished.device_read_iops)
    config["BlkioDeviceWriteBps"] = rates(wished.device_write_bps)
    config["BlkioDeviceWriteIOps"] = rates(wished.device_write_iops)


def _devices(service: Service, config: HostConfig) -> None:
    nodes: list[DeviceMapping] = []
    by_name: list[str] = []
    for device in service.devices:
        if device.target:
            nodes.append(
                {
                    "PathOnHost": device.source,
                    "PathInContainer": device.target,
                    "CgroupPermissions": device.permissions,
                }
            )
        else:
            by_name.append(device.source)
    config["Devices"] = nodes
    config["DeviceCgroupRules"] = list(service.device_cgroup_rules)
    resources = service.deploy.resources if service.deploy else None
    reserved = resources.reservations.devices if resources and resources.reservations else ()
    requests = [_request(one, "gpu") for one in service.gpus] + [_request(one, "") for one in reserved]
    if by_name:
        requests.append({"Driver": "cdi", "Count": 0, "DeviceIDs": by_name})
    if requests:
        config["DeviceRequests"] = requests


def _request(request: Request, ability: str) -> DeviceRequest:
    abilities = [*request.capabilities]
    if ability and ability not in abilities:
        abilities.append(ability)
    count = request.count if request.count is not None else 0 if request.device_ids else -1
    return {
        "Driver": request.driver,
        "Count": count,
        "DeviceIDs": list(request.device_ids),
        "Capabilities": [abilities],
        "Options": dict(request.options),
    }
