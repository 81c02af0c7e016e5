"""What a limited socket lets through: decided by method, path and body; pure.

`read` looks: no file of a container, no stream into one. `run` works with containers, images, volumes and networks, but
nothing that reaches the host: whoever has it must not become root here. `admin` is everything.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

READ, RUN, ADMIN = "read", "run", "admin"
ROLES: Final = (READ, RUN, ADMIN)

_CONTENT: Final = re.compile(
    r"/containers/[^/]+/(export|archive|attach/ws)|/images/(.+/)?get|/volumes/[^/]+/export|/leases/.*|"
    r"/distribution/.*|/images/search"
)
"""What a reader may not have though it is asked for by GET: contents, and what the engine would ask other hosts for."""

_RUN_NOUNS: Final = re.compile(
    r"/(_ping|version|info|events|auth|commit|build|leases/.+|system/df)|/(containers|exec|images|volumes|networks)(/.*)?"
)
_SCOPED: Final = re.compile(
    r"/(_ping|version|info|events)|/containers/(json|create|prune)|/(containers|exec)/[^/]+(/.*)?|"
    r"/images/(json|create|.+/json|.+/history)"
)
"""What a socket with a label shows and does: the containers that bear it, and images to make them of."""

_ENTERING: Final = re.compile(r"/containers/[^/]+/(exec|attach|attach/ws|archive)|/exec/[^/]+/(start|resize)")
"""What gets into a container, where it finds all that the container has."""

_HOST_MODES: Final = ("NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupnsMode")
_OTHER: Final = "container:"
_BRIDGE_NAME: Final = "com.docker.network.bridge.name"  # one of the host's own would be taken
_BUILD_KEYS: Final = ("allow", "securityopt", "cgroupparent")
_EMPTY_ONLY: Final = (
    *("Privileged", "Devices", "DeviceRequests", "DeviceCgroupRules", "CapAdd", "CgroupParent", "Runtime"),
    *("VolumesFrom", "Annotations", "Links", "Cgroup", "StorageOpt"),
)
_QUIET: Final = frozenset(("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"))
_OWN_LOGS: Final = frozenset(("", "json-file", "local", "none"))


class Limits(NamedTuple):
    """Of one socket; with *label*, a key and a value, only containers that bear it exist there."""

    role: str
    label: tuple[str, str] | None = None


def refusal(limits: Limits, method: str, path: str) -> str:
    """Why a request is not let through; empty when it may be, as far as its body allows."""
    if limits.label is not None and not _SCOPED.fullmatch(path):
        return f"{method} {path[:128]} is outside the scope of this socket"
    if limits.role == READ and (method not in {"GET", "HEAD"} or _CONTENT.fullmatch(path)):
        return f"this socket is for reading only: {method} {path[:128]} is refused"
    if limits.role == RUN and not _RUN_NOUNS.fullmatch(path):
        return f"this socket is for running containers: {method} {path[:128]} is refused"
    return ""


def enters(path: str) -> bool:
    """Whether a request for *path* gets into a container that exists."""
    return _ENTERING.fullmatch(path) is not None


def shared_with(config: Mapping[str, object]) -> list[str]:
    """The containers whose namespaces a HostConfig asks for."""
    modes = (str(config.get(name) or "") for name in _HOST_MODES)
    return [mode.removeprefix(_OTHER) for mode in modes if mode.startswith(_OTHER)]


def build_refusal(limits: Limits, query: Callable[[str], Sequence[str]]) -> str:
    """Why a build with these values of its *query*, by key, is not let through; empty when it may be."""
    if limits.role != RUN:
        return ""
    network = [mode for mode in query("networkmode") if mode == "host" or mode.startswith(_OTHER)]
    given = "networkmode" if network else next((key for key in _BUILD_KEYS if any(query(key))), "")
    return f"{given} is refused on this socket" if given else ""


def host_access(config: Mapping[str, object]) -> str:
    """The first setting of a HostConfig that would reach the host; empty when none does."""
    given = next((name for name in _EMPTY_ONLY if config.get(name)), "")
    mode = next((f"{name}=host" for name in _HOST_MODES if config.get(name) == "host"), "")
    path = next((name for name in ("MaskedPaths", "ReadonlyPaths") if config.get(name) is not None), "")
    return given or mode or path or _host_rights(config) or _host_mounts(config)


def _host_rights(config: Mapping[str, object]) -> str:
    score = config.get("OomScoreAdj")
    wrong = {
        "SecurityOpt": any(str(option) not in _QUIET for option in _items(config.get("SecurityOpt"))),
        "LogConfig": str(_fields(config.get("LogConfig")).get("Type") or "") not in _OWN_LOGS,
        "OomScoreAdj": isinstance(score, int) and score < 0,
        "VolumeDriver": config.get("VolumeDriver") not in {None, "", "local"},
    }
    return next((name for name, is_wrong in wrong.items() if is_wrong), "")


def _host_mounts(config: Mapping[str, object]) -> str:
    for bind in _items(config.get("Binds")):
        if str(bind).startswith(("/", ".", "~")) and ":" in str(bind):
            return f"Binds: {str(bind)[:128]}"
    for mount in map(_fields, _items(config.get("Mounts"))):
        if mount.get("Type") not in {"volume", "tmpfs", "image"}:
            return f"Mounts: type {str(mount.get('Type'))[:32]}"
        driver = _fields(_fields(mount.get("VolumeOptions")).get("DriverConfig"))
        if driver.get("Options") or driver.get("Name") not in {None, "", "local"}:
            return "Mounts: driver options"
    return ""


def named_volumes(config: Mapping[str, object]) -> str:
    """The first volume or container that a HostConfig names; a socket with a label cannot tell whose it is."""
    for bind in _items(config.get("Binds")):
        if ":" in str(bind):
            return f"Binds: {str(bind)[:128]}"
    for mount in map(_fields, _items(config.get("Mounts"))):
        if mount.get("Type") != "tmpfs" and mount.get("Source"):
            return f"Mounts: {str(mount.get('Source'))[:128]}"
    for name in _HOST_MODES:
        if str(config.get(name) or "").startswith(_OTHER):
            return name
    return next((name for name in ("VolumesFrom", "Links") if config.get(name)), "")


def body_refusal(limits: Limits, path: str, body: Mapping[str, object]) -> str:
    """Why a request with this body is not let through; empty when it may be."""
    reason = ""
    if path == "/containers/create":
        reason = _of_container(limits, _fields(body.get("HostConfig")))
    elif path.endswith("/update"):
        reason = _of_container(limits, body)
    elif path.endswith("/exec") and limits.role == RUN and body.get("Privileged"):
        reason = "Privileged"
    elif path == "/volumes/create" and limits.role == RUN and (body.get("DriverOpts") or _foreign(body, "local")):
        reason = "DriverOpts"
    elif path == "/networks/create" and limits.role == RUN:
        reason = _of_network(body)
    return f"{reason} is refused on this socket" if reason else ""


def _of_container(limits: Limits, config: Mapping[str, object]) -> str:
    reason = host_access(config) if limits.role == RUN else ""
    return reason or (named_volumes(config) if limits.label is not None else "")


def _of_network(body: Mapping[str, object]) -> str:
    if _foreign(body, "bridge"):
        return "Driver"
    return next((name for name in _fields(body.get("Options")) if name == _BRIDGE_NAME), "")


def _foreign(body: Mapping[str, object], driver: str) -> bool:
    return body.get("Driver") not in {None, "", "default", driver}


def _fields(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else []
