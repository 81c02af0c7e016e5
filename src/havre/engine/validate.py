"""Everything that is refused before a container is made, in Docker's words, and what is filled in for the user."""

import re
from collections.abc import Collection, Iterable
from typing import Final

from msgspec.structs import replace

from havre.base.errors import InternalError, InvalidInput
from havre.engine.host import HostFacts
from havre.engine.limits_check import check_limits
from havre.engine.log_settings import check_log
from havre.engine.model import BRIDGE, HOST
from havre.engine.modes_check import check_modes
from havre.engine.seccomp_filters import check_profile
from havre.engine.security import normal_capabilities, parse_security
from havre.engine.settings import Config, EndpointWish, HostConfig, LogSettings, RestartPolicy
from havre.engine.signals import parse_signal
from havre.kernel.cgroups.features import Feature
from havre.oci.image_config import Healthcheck
from havre.runtime import defaults

RUNTIME: Final = "havre"
ALIASES: Final = frozenset({RUNTIME, "runc", "io.containerd.runc.v2"})
DEFAULT_SHM_BYTES: Final = 64 << 20
_MILLISECOND_NS: Final = 1_000_000
_DEVICE_RULE: Final = re.compile(r"([acb]) ([0-9]{1,9}|\*):([0-9]{1,9}|\*) ([rwm]{1,3})\Z", re.ASCII)
_HOSTNAME: Final = re.compile(r"[\x21-\x7e]{1,64}\Z", re.ASCII)


def check_settings(config: Config, host: HostConfig, endpoints: dict[str, EndpointWish], facts: HostFacts) -> list[str]:
    """The warnings for the user. Raises InvalidInput, or NotSupported for what Havre does not offer."""
    _check_config(config)
    _check_health(config.healthcheck)
    check_policy(host)
    for field, names in (("CapAdd", host.cap_add), ("CapDrop", host.cap_drop)):
        normal_capabilities(names or (), field)
    check_profile(parse_security(host.security_opt or (), privileged=host.privileged).seccomp)
    _check_kind(host)
    _check_devices(host)
    warnings = check_limits(host, facts) + check_modes(config, host, endpoints)
    check_log(host.log_config)
    return warnings


def check_runtime(host: HostConfig, runtimes: Collection[str]) -> None:
    """Raises InvalidInput for a runtime that is neither ours nor one of *runtimes*, the foreign ones."""
    if host.runtime and host.runtime not in ALIASES and host.runtime not in runtimes:
        raise InvalidInput(f"Unknown runtime specified {host.runtime[:64]}")


def check_command(config: Config) -> tuple[str, ...]:
    """The whole command. Raises InvalidInput when there is none."""
    args = (*(config.entrypoint or ()), *(config.cmd or ()))
    if not args:
        raise InvalidInput("No command specified")
    if any("\0" in arg for arg in args):
        raise InvalidInput("invalid command: an argument holds a NUL character")
    return args


def _check_config(config: Config) -> None:
    if config.working_dir and not config.working_dir.startswith("/"):
        raise InvalidInput(
            f"the working directory '{config.working_dir[:256]}' is invalid, it needs to be an absolute path"
        )
    if "\0" in config.working_dir:
        raise InvalidInput("the working directory holds a NUL character")
    check_env(config.env or ())
    if config.stop_signal:
        parse_signal(config.stop_signal)
    for what, name in (("hostname", config.hostname), ("domainname", config.domainname)):
        if name and not _HOSTNAME.match(name):
            raise InvalidInput(f"invalid {what}: {name[:80]!r} is not 1 to 64 printable characters")
    if any(ord(character) < 32 for character in config.user):
        raise InvalidInput(f"invalid user: {config.user[:64]!r}")


def check_env(env: tuple[str, ...] | list[str]) -> None:
    """Raises InvalidInput for an entry without a name, or one that could forge a line of a file of ours."""
    for entry in env:
        name, _, value = entry.partition("=")
        if not name or "\n" in name:
            raise InvalidInput(f"invalid environment variable: {entry[:256]}")
        if "\0" in entry or (name == "HOME" and "\n" in value):
            raise InvalidInput(f"invalid environment variable: {name[:256]} holds a control character")


def _check_health(check: Healthcheck | None) -> None:
    if check is None:
        return
    for name, value in (
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ):
        if value != 0 and value < _MILLISECOND_NS:
            raise InvalidInput(f"{name} in Healthcheck cannot be less than 1ms")
    if check.retries < 0:
        raise InvalidInput("Retries in Healthcheck cannot be negative")


def check_policy(host: HostConfig) -> None:
    """Raises InvalidInput for a restart policy that cannot be."""
    policy = host.restart_policy
    if host.auto_remove and policy.name not in {"", "no"}:
        raise InvalidInput("can't create 'AutoRemove' container with restart policy")
    if policy.name in {"always", "unless-stopped", "no"}:
        if policy.maximum_retry_count != 0:
            raise InvalidInput(f"maximum retry count cannot be used with restart policy '{policy.name}'")
    elif policy.name == "on-failure":
        if policy.maximum_retry_count < 0:
            raise InvalidInput("maximum retry count cannot be negative")
    elif policy.name:
        raise InvalidInput(f"invalid restart policy '{policy.name[:64]}'")


def _check_kind(host: HostConfig) -> None:
    if host.isolation.lower() not in {"", "default"}:
        raise InvalidInput(f"Invalid isolation: \"{host.isolation[:64]}\" - linux only supports 'default'")
    if host.storage_opt:
        raise InternalError("--storage-opt is supported only for overlay over xfs with 'pquota' mount option")
    if "" in (host.annotations or {}):
        raise InvalidInput("invalid Annotations: the empty string is not permitted as an annotation key")
    parent = host.cgroup_parent
    if "\0" in parent or "\n" in parent or ".." in parent.split("/"):
        raise InvalidInput(f"invalid cgroup parent: {parent[:256]!r}")


def _check_devices(host: HostConfig) -> None:
    for device in host.devices or ():
        if not device.path_on_host.startswith("/") or not (device.path_in_container or "/").startswith("/"):
            raise InvalidInput(f"{device.path_on_host[:256]!r} is not an absolute path of a device")
        if not set(device.cgroup_permissions) <= set("rwm"):
            raise InvalidInput(f"bad mode specified: {device.cgroup_permissions[:64]}")
    for rule in host.device_cgroup_rules or ():
        if not _DEVICE_RULE.match(rule):
            raise InvalidInput(f"invalid device cgroup rule format: '{rule[:256]}'")


def settled_host(host: HostConfig, facts: HostFacts, log: LogSettings) -> HostConfig:
    """*host* with Docker's defaults where the user left a choice; *log* is the engine's own default."""
    privileged_on_v1 = host.privileged and facts.cgroup_version == 1
    bare = host.privileged or parse_security(host.security_opt or (), privileged=host.privileged).open_paths
    unlabelled = host.privileged or HOST in {host.pid_mode, host.ipc_mode}
    limit = host.pids_limit
    return replace(
        host,
        network_mode=BRIDGE if host.network_mode in {"", "default"} else host.network_mode,
        memory_swap=host.memory_swap or (host.memory * 2 if host.memory > 0 else 0),
        memory_swappiness=None if host.memory_swappiness == -1 else host.memory_swappiness,
        oom_kill_disable=(host.oom_kill_disable or False) if facts.offers(Feature.OOM_KILL_DISABLE) else None,
        pids_limit=limit if limit is not None and limit > 0 else None,
        shm_size=host.shm_size or DEFAULT_SHM_BYTES,
        ipc_mode=host.ipc_mode or "private",
        cgroupns_mode=host.cgroupns_mode or (HOST if privileged_on_v1 else "private"),
        runtime=host.runtime or RUNTIME,
        log_config=_default_log(host.log_config, log),
        restart_policy=host.restart_policy if host.restart_policy.name else RestartPolicy(name="no"),
        cap_add=_normal(host.cap_add, "CapAdd"),
        cap_drop=_normal(host.cap_drop, "CapDrop"),
        security_opt=host.security_opt or (["label=disable"] if unlabelled else host.security_opt),
        masked_paths=host.masked_paths if bare else _paths(host.masked_paths, defaults.masked_paths()),
        readonly_paths=host.readonly_paths if bare else _paths(host.readonly_paths, defaults.READONLY_PATHS),
    )


def _normal(names: list[str] | None, field: str) -> list[str] | None:
    return None if names is None else normal_capabilities(names, field)


def _paths(given: list[str] | None, default: Iterable[str]) -> list[str]:
    return list(default) if given is None else given


def _default_log(given: LogSettings, default: LogSettings) -> LogSettings:
    if given.type in {"", default.type}:
        return LogSettings(type=default.type, config={**default.config, **given.config})
    return given
