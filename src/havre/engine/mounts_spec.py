"""The mounts of a container, parents first: defaults, what the user asked for, the engine's own files; pure."""

import posixpath
from collections.abc import Iterable
from typing import Final

from havre.engine.model import ImageMount, Record, ResolvedMount, TmpfsMount, VolumeMount
from havre.engine.places import Places
from havre.engine.security import parse_security
from havre.oci.runtime_spec import Mount
from havre.runtime import defaults

_STAY_WRITABLE: Final = frozenset({"/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"})  # noqa: S108  mount points inside
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108  a mount point inside the container


def mounts_of(record: Record, places: Places) -> list[Mount]:
    """What is mounted below the root. A wish replaces a default on the same path or, on /dev, all below it."""
    wanted = {mount.destination: _user_mount(mount, places.staged) for mount in record.mounts}
    base = {mount.destination: mount for mount in _own_mounts(record, places)}
    covered = set(wanted)
    kept = [mount for path, mount in base.items() if path not in covered and not _under_own_dev(path, covered)]
    return sorted([*kept, *wanted.values()], key=lambda mount: _depth(mount.destination))


def _own_mounts(record: Record, places: Places) -> Iterable[Mount]:
    for mount in defaults.default_mounts(shm_size=record.host.shm_size):
        if (adapted := _adapted(mount, record, places)) is not None:
            yield adapted
    for path, source in (
        ("/etc/resolv.conf", places.resolv_conf),
        ("/etc/hostname", places.hostname_file),
        ("/etc/hosts", places.hosts),
    ):
        if source:
            yield _bind(path, source, "rprivate", recursive=True)
    if record.host.init:
        yield Mount(destination=defaults.INIT_TARGET, type="bind", source=places.init, options=["bind", "ro"])


def _adapted(mount: Mount, record: Record, places: Places) -> Mount | None:
    host = record.host
    if mount.destination == _SHARED_MEMORY:
        return _shared_memory(mount, record, places)
    options = list(mount.options or ())
    security = parse_security(host.security_opt or (), privileged=host.privileged)
    writable = host.privileged or (security.writable_cgroups and mount.type == "cgroup")
    if mount.type in {"sysfs", "cgroup"} and writable and "ro" in options:
        options[options.index("ro")] = "rw"
    if host.readonly_rootfs and mount.destination not in _STAY_WRITABLE and "ro" not in options:
        options.append("ro")
    return Mount(destination=mount.destination, type=mount.type, source=mount.source, options=options)


def _shared_memory(mount: Mount, record: Record, places: Places) -> Mount | None:
    if record.host.ipc_mode == "none":
        return None
    if places.shared_memory:
        return _bind(_SHARED_MEMORY, places.shared_memory, "rprivate", recursive=False)
    return mount


def _user_mount(mount: ResolvedMount, staged: dict[str, str]) -> Mount:
    if isinstance(mount, ImageMount):
        return Mount(
            destination=mount.destination,
            type="bind",
            source=staged.get(mount.destination, ""),
            options=["bind", "ro", "rprivate"],
        )
    if isinstance(mount, VolumeMount):
        access = [] if mount.writable else ["rro"]
        source = staged.get(mount.destination, mount.source)
        return Mount(destination=mount.destination, type="bind", source=source, options=["rbind", *access, "rprivate"])
    if isinstance(mount, TmpfsMount):
        return Mount(destination=mount.destination, type="tmpfs", source="tmpfs", options=list(mount.options))
    options = ["rbind" if mount.recursive else "bind"]
    if not mount.writable:
        # Docker's recursive read-only; mounts below stay as they are where the user said so.
        options.append("rro" if mount.recursive_read_only and mount.recursive else "ro")
    options.append(mount.propagation)
    source = staged.get(mount.destination, mount.source)
    return Mount(destination=mount.destination, type="bind", source=source, options=options)


def _bind(path: str, source: str, propagation: str, *, recursive: bool) -> Mount:
    return Mount(destination=path, type="bind", source=source, options=["rbind" if recursive else "bind", propagation])


def _under_own_dev(path: str, covered: set[str]) -> bool:
    return "/dev" in covered and path.startswith("/dev/")


def _depth(path: str) -> int:
    return posixpath.normpath(path).count("/")
