"""What a container has of the host: whoever enters such a one could go on from there; pure."""

from collections.abc import Callable
from typing import Final

from havre.engine.model import HOST, SHARED, BindMount, Record

_QUIET: Final = "no-new-privileges"

Find = Callable[[str], Record | None]
"""The record that a container's name or id stands for."""


def host_reach(record: Record, find: Find, seen: frozenset[str] = frozenset()) -> str:
    """The first thing of the host that *record*, or one whose namespaces it shares, has; empty when there is none."""
    host = record.host
    bind = next((mount.source for mount in record.mounts if isinstance(mount, BindMount)), "")
    modes = {"NetworkMode": host.network_mode, "PidMode": host.pid_mode, "IpcMode": host.ipc_mode}
    found = {
        "Privileged": host.privileged,
        "CapAdd": host.cap_add,
        "Devices": host.devices or host.device_requests or host.device_cgroup_rules,
        "SecurityOpt": [option for option in host.security_opt or () if not option.startswith(_QUIET)],
        f"a mount of {bind}": bind,
        **{f"{name}=host": mode == HOST for name, mode in (*modes.items(), ("UTSMode", host.uts_mode))},
    }
    own = next((name for name, there in found.items() if there), "")
    seen |= {record.id}
    return own or next(filter(None, (_shared_reach(mode, find, seen) for mode in modes.values())), "")


def _shared_reach(mode: str, find: Find, seen: frozenset[str]) -> str:
    donor = find(mode.removeprefix(SHARED)) if mode.startswith(SHARED) else None
    return host_reach(donor, find, seen) if donor is not None and donor.id not in seen else ""
