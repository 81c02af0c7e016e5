"""The engine about itself: version, settings, what it takes of the disk."""

import asyncio
import os
import platform
from collections.abc import AsyncIterator, Mapping
from typing import Final

from havre.base import clock
from havre.base.errors import InvalidInput
from havre.base.tasks import in_thread
from havre.base.version import VERSION
from havre.engine.build_cache import BuildCache
from havre.engine.cdi_files import read_devices
from havre.engine.host import HostFacts, file_system_of
from havre.engine.images import ImageService
from havre.engine.lacking import host_warnings
from havre.engine.lifecycle import State
from havre.engine.listing import container_sizes, summary
from havre.engine.log_settings import OFFERED
from havre.engine.parts import Parts
from havre.engine.validate import ALIASES, RUNTIME
from havre.engine.volumes import VolumeService
from havre.kernel.cgroups.features import Feature
from havre.wire.containers import ContainerSummary
from havre.wire.system import (
    CheckLine,
    Commit,
    DeviceInfo,
    DiskUsage,
    Info,
    RegistryServiceConfig,
    RuntimeInfo,
    SwarmInfo,
    Version,
)
from havre.wire.versions import ENGINE_VERSION, MAX_API, MIN_API

_PROXIES: Final = (("HttpProxy", "http_proxy"), ("HttpsProxy", "https_proxy"), ("NoProxy", "no_proxy"))
_KINDS: Final = frozenset(("container", "image", "volume", "build-cache"))
_OVERLAY: Final = (
    ["Supports d_type", "true"],
    ["Using metacopy", "false"],
    ["Native Overlay Diff", "true"],
    ["userxattr", "false"],
)
_NO_COMMIT: Final[Commit] = {"ID": "", "Expected": ""}
_NO_SWARM: Final[SwarmInfo] = {
    "NodeID": "",
    "NodeAddr": "",
    "LocalNodeState": "inactive",
    "ControlAvailable": False,
    "Error": "",
    "RemoteManagers": None,
}


class System:
    """Answers about the engine as a whole."""

    def __init__(
        self,
        parts: Parts,
        images: ImageService,
        volumes: VolumeService,
        build_cache: BuildCache,
        engine_id: str,
    ) -> None:
        self._parts = parts
        self._images = images
        self._volumes = volumes
        self._build_cache = build_cache
        self._engine_id = engine_id
        self._backing = file_system_of(parts.folders.data_root)

    async def version(self) -> Version:
        """Which engine this is."""
        facts = self._parts.facts
        python = f"python{platform.python_version()}"
        own = VERSION
        details = {
            "ApiVersion": MAX_API,
            "Arch": facts.architecture,
            "BuildTime": "",
            "Experimental": "false",
            "GitCommit": own,
            "GoVersion": python,
            "KernelVersion": facts.kernel,
            "MinAPIVersion": MIN_API,
            "Os": "linux",
        }
        return {
            "Platform": {"Name": f"Havre {own}"},
            "Components": [
                {"Name": "Engine", "Version": ENGINE_VERSION, "Details": details},
                {"Name": RUNTIME, "Version": own, "Details": {"GitCommit": own}},
            ],
            "Version": ENGINE_VERSION,
            "ApiVersion": MAX_API,
            "MinAPIVersion": MIN_API,
            "GitCommit": own,
            "GoVersion": python,
            "Os": "linux",
            "Arch": facts.architecture,
            "KernelVersion": facts.kernel,
            "BuildTime": "",
        }

    async def info(self) -> Info:
        """How the engine and its host are set up."""
        parts, facts, settings = self._parts, self._parts.facts, self._parts.settings
        return {
            "ID": self._engine_id,
            "Containers": len(parts.roster),
            "ContainersRunning": parts.count(State.RUNNING),
            "ContainersPaused": parts.count(State.PAUSED),
            "ContainersStopped": parts.count(State.CREATED, State.EXITED, State.DEAD),
            "Images": self._images.count,
            "Driver": "overlay2",
            "DriverStatus": [["Backing Filesystem", self._backing], *_OVERLAY],
            "Plugins": {
                "Volume": sorted({"local", *parts.volumes.plugins.names()}),
                "Network": ["bridge", "host", "null"],
                "Authorization": None,
                "Log": sorted(driver for driver in OFFERED if driver != "none"),
            },
            **_controllers(facts),
            **_ourselves(self._parts),
            "SystemTime": clock.rfc3339(clock.now_ns()),
            "LoggingDriver": settings.log.type,
            "CgroupDriver": "cgroupfs",
            "CgroupVersion": str(facts.cgroup_version),
            "KernelVersion": facts.kernel,
            "OperatingSystem": facts.system,
            "OSVersion": facts.system_version,
            "OSType": "linux",
            "Architecture": facts.machine,
            "NCPU": facts.cpu_count,
            "MemTotal": facts.memory_bytes,
            "IndexServerAddress": "https://index.docker.io/v1/",
            "RegistryConfig": _registries(parts),
            "GenericResources": None,
            "DockerRootDir": str(parts.folders.data_root),
            **_proxies(),
            "Name": facts.name,
            "Labels": list(settings.labels),
            "ExperimentalBuild": False,
            "ServerVersion": ENGINE_VERSION,
            "Runtimes": _runtimes(settings.runtimes),
            "DefaultRuntime": settings.default_runtime,
            "Swarm": _NO_SWARM,
            "LiveRestoreEnabled": settings.live_restore,
            "Isolation": "",
            "InitBinary": os.path.basename(settings.init_path) or "docker-init",  # noqa: PTH119  a text
            "ContainerdCommit": _NO_COMMIT,
            "RuncCommit": {"ID": VERSION, "Expected": VERSION},
            "InitCommit": _NO_COMMIT,
            "SecurityOptions": _security(parts),
            "FirewallBackend": {"Driver": "nftables"},
            "CDISpecDirs": list(settings.cdi_folders),
            "DiscoveredDevices": await in_thread(_devices, settings.cdi_folders),
            "Warnings": _warnings(parts),
        }

    def check(self, *, repair: bool) -> AsyncIterator[CheckLine]:
        """Verify all that is stored; see `ImageService.check`."""
        return self._images.check(repair=repair)

    async def df(self, kinds: frozenset[str] = frozenset()) -> DiskUsage:
        """What takes how much of the disk; of the *kinds* named only, where some are. Raises InvalidInput."""
        for kind in sorted(kinds - _KINDS):
            raise InvalidInput(f"unknown object type: {kind[:64]}")
        asked = kinds or _KINDS
        layers, rows = await self._images.usage() if "image" in asked else (0, None)
        return {
            "LayersSize": layers,
            "Images": rows,
            "Containers": await self._containers() if "container" in asked else None,
            "Volumes": await self._volumes.usage() if "volume" in asked else None,
            "BuildCache": await self._build_cache.items() if "build-cache" in asked else None,
        }

    async def _containers(self) -> list[ContainerSummary]:
        parts = self._parts
        containers: list[ContainerSummary] = []
        for container in sorted(parts.roster, key=lambda one: -one.record.created_ns):
            own, whole = await container_sizes(parts, container.record)
            containers.append({**summary(parts, container), "SizeRw": own, "SizeRootFs": whole})
        return containers


def _controllers(facts: HostFacts) -> Info:
    return {
        "MemoryLimit": facts.offers(Feature.MEMORY),
        "SwapLimit": facts.offers(Feature.SWAP),
        "CpuCfsPeriod": facts.offers(Feature.CPU_CFS),
        "CpuCfsQuota": facts.offers(Feature.CPU_CFS),
        "CPUShares": facts.offers(Feature.CPU_SHARES),
        "CPUSet": facts.offers(Feature.CPUSET),
        "PidsLimit": facts.offers(Feature.PIDS),
        "OomKillDisable": facts.offers(Feature.OOM_KILL_DISABLE),
        "IPv4Forwarding": _is_on("/proc/sys/net/ipv4/ip_forward"),
        "BridgeNfIptables": _is_on("/proc/sys/net/bridge/bridge-nf-call-iptables"),
        "BridgeNfIp6tables": _is_on("/proc/sys/net/bridge/bridge-nf-call-ip6tables"),
    }


def _ourselves(parts: Parts) -> Info:
    return {
        "Debug": parts.settings.debug,
        "NFd": len(os.listdir("/proc/self/fd")),  # noqa: PTH208  a count
        "NGoroutines": len(asyncio.all_tasks()),
        "NEventsListener": parts.events.listeners,
    }


def _registries(parts: Parts) -> RegistryServiceConfig:
    mirrors = list(parts.settings.registry_mirrors)
    return {
        "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8", *parts.settings.insecure_registries],
        "IndexConfigs": {"docker.io": {"Name": "docker.io", "Mirrors": mirrors, "Secure": True, "Official": True}},
        "Mirrors": mirrors,
    }


def _devices(folders: tuple[str, ...]) -> list[DeviceInfo]:
    return [{"Source": "cdi", "ID": name} for name in sorted(read_devices(folders))]


def _runtimes(foreign: Mapping[str, tuple[str, ...]]) -> dict[str, RuntimeInfo]:
    own: dict[str, RuntimeInfo] = {name: {"path": "havre-runtime"} for name in sorted(ALIASES)}
    for name, (path, *arguments) in sorted(foreign.items()):
        own[name] = {"path": path, "runtimeArgs": arguments} if arguments else {"path": path}
    return own


def _security(parts: Parts) -> list[str]:
    profile = parts.settings.seccomp
    known = profile if profile in {"builtin", "unconfined"} else "custom"
    options = [f"name=seccomp,profile={known}", "name=cgroupns"]
    return [*options, "name=no-new-privileges"] if parts.settings.no_new_privileges else options


def _warnings(parts: Parts) -> list[str] | None:
    warnings = [*parts.settings.warnings, *host_warnings(parts.facts)]
    if "CAP_SYS_RESOURCE" not in parts.facts.capabilities:
        warnings.append(
            "WARNING: The engine lacks CAP_SYS_RESOURCE: hard limits cannot be raised, OOM scores not lowered"
        )
    return warnings or None


def _proxies() -> Info:
    found: dict[str, str] = {
        field: os.environ.get(name) or os.environ.get(name.upper()) or "" for field, name in _PROXIES
    }
    return {
        "HttpProxy": _without_password(found["HttpProxy"]),
        "HttpsProxy": _without_password(found["HttpsProxy"]),
        "NoProxy": found["NoProxy"],
    }


def _without_password(url: str) -> str:
    """Docker shows `http://xxxxx:xxxxx@host`: a secret is never told."""
    scheme, separator, rest = url.partition("://")
    who, at, where = rest.rpartition("@")
    return f"{scheme}{separator}xxxxx:xxxxx@{where}" if at and who else url


def _is_on(path: str) -> bool:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  a fixed path of the kernel
            return file.read(1) == b"1"
    except OSError:
        return False
