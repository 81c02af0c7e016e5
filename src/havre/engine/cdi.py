"""Devices by their CDI names (`vendor.com/class=name`), and GPUs by number: how a spec changes for them. Pure."""

import os
import posixpath
import stat
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from havre.base.errors import InvalidInput, NotSupported
from havre.engine.cdi_files import CdiHook, CdiMount, CdiNode, Edits, Found
from havre.engine.settings import DeviceRequest
from havre.oci.runtime_spec import Device, DeviceRule, Hook, Hooks, Linux, Mount, Process, Resources, Spec

NodeOf = Callable[[str], Device | None]
"""The device node at a path of the host."""
_DRIVER: Final = "cdi"
_HOOK_FIELDS: Final = {
    "prestart": "prestart",
    "createRuntime": "create_runtime",
    "createContainer": "create_container",
    "startContainer": "start_container",
}


def wanted_devices(requests: Iterable[DeviceRequest], known: Mapping[str, Found]) -> list[str]:
    """The qualified names that *requests* come to. Raises InvalidInput in Docker's words for what nobody offers."""
    names: list[str] = []
    for request in requests:
        if request.driver == _DRIVER:
            names += request.device_ids or []
        else:
            names += _gpus(request, known)
    missing = [name for name in names if name not in known]
    if missing:
        raise InvalidInput(f"CDI device injection failed: unresolvable CDI devices {', '.join(missing)[:1024]}")
    return list(dict.fromkeys(names))


def _gpus(request: DeviceRequest, known: Mapping[str, Found]) -> list[str]:
    """A request by ability is answered by the first kind of file that offers GPUs."""
    kinds = sorted({found.file.kind for found in known.values() if found.file.kind.endswith("/gpu")})
    able = any("gpu" in group for group in request.capabilities or ())
    if not kinds or not able or request.driver not in {"", kinds[0].partition(".")[0]}:
        groups = "[" + " ".join("[" + " ".join(group) + "]" for group in request.capabilities or ()) + "]"
        raise InvalidInput(
            f'could not select device driver "{request.driver}" with capabilities: {groups}'
            + (" (no CDI file of this host offers GPUs)" if able and not kinds else "")
        )
    if request.device_ids:
        return [f"{kinds[0]}={device}" for device in request.device_ids]
    if request.count < 0:
        return [f"{kinds[0]}=all"]
    return [f"{kinds[0]}={number}" for number in range(request.count)]


def edits_of(names: Iterable[str], known: Mapping[str, Found]) -> list[Edits]:
    """What *names* ask for, and once what their files ask for all of their devices."""
    found = [known[name] for name in names]
    files = list(dict.fromkeys(id(one.file) for one in found))
    common = [next(one.file for one in found if id(one.file) == file).container_edits for file in files]
    return [*common, *(one.device.container_edits for one in found)]


def edited(spec: Spec, edits: Iterable[Edits], node_of: NodeOf) -> Spec:
    """*spec* with all of *edits*. Raises InvalidInput, NotSupported."""
    for one in edits:
        spec = _with_process(spec, one)
        spec = _with_devices(spec, [_node(node, node_of) for node in one.device_nodes or ()])
        spec = _with_mounts(spec, one.mounts or ())
        spec = _with_hooks(spec, one.hooks or ())
    return spec


def _with_process(spec: Spec, edits: Edits) -> Spec:
    process = spec.process or Process()
    names = {entry.partition("=")[0] for entry in edits.env or ()}
    kept = [entry for entry in process.env or () if entry.partition("=")[0] not in names]
    return replace(spec, process=replace(process, env=[*kept, *(edits.env or ())]))


def _node(wanted: CdiNode, node_of: NodeOf) -> tuple[Device, str]:
    """The node with what it may be used for."""
    there = node_of(wanted.host_path or wanted.path)
    kind = wanted.type or (there.type if there is not None else "")
    if not kind or (wanted.major is None and there is None):
        raise InvalidInput(f"CDI device injection failed: {wanted.host_path or wanted.path} is no device of this host")
    given = there or Device(path=wanted.path, type=kind)
    node = replace(
        given,
        path=wanted.path,
        type=kind,
        major=given.major if wanted.major is None else wanted.major,
        minor=given.minor if wanted.minor is None else wanted.minor,
        file_mode=given.file_mode if wanted.file_mode is None else wanted.file_mode,
        uid=given.uid if wanted.uid is None else wanted.uid,
        gid=given.gid if wanted.gid is None else wanted.gid,
    )
    return node, wanted.permissions or "rwm"


def _with_devices(spec: Spec, nodes: list[tuple[Device, str]]) -> Spec:
    if not nodes:
        return spec
    linux = spec.linux or Linux()
    limits = linux.resources or Resources()
    paths = {node.path for node, _ in nodes}
    kept = [device for device in linux.devices or () if device.path not in paths]
    rules = [
        DeviceRule(allow=True, type=node.type, major=node.major, minor=node.minor, access=access)
        for node, access in nodes
        if node.type in {"b", "c"}
    ]
    limits = replace(limits, devices=[*(limits.devices or ()), *rules])
    return replace(spec, linux=replace(linux, devices=[*kept, *(node for node, _ in nodes)], resources=limits))


def _with_mounts(spec: Spec, mounts: Iterable[CdiMount]) -> Spec:
    """In the place of what was there, and parents before what is below them."""
    added = {
        mount.container_path: Mount(
            destination=mount.container_path,
            type=mount.type or "bind",
            source=mount.host_path,
            options=mount.options or ["rbind", "nosuid", "nodev"],
        )
        for mount in mounts
    }
    kept = [mount for mount in spec.mounts or () if mount.destination not in added]
    whole = sorted([*kept, *added.values()], key=lambda mount: posixpath.normpath(mount.destination).count("/"))
    return replace(spec, mounts=whole)


def _with_hooks(spec: Spec, hooks: Iterable[CdiHook]) -> Spec:
    points = spec.hooks or Hooks()
    for hook in hooks:
        field = _HOOK_FIELDS.get(hook.hook_name)
        if field is None:
            raise NotSupported(f"CDI device injection failed: hooks at {hook.hook_name[:64]} are not run by havre")
        before = getattr(points, field) or []
        one = Hook(path=hook.path, args=hook.args, env=hook.env, timeout=hook.timeout)
        points = replace(points, **{field: [*before, one]})
    return replace(spec, hooks=points) if points != Hooks() else spec


def group_numbers(edits: Iterable[Edits]) -> list[str]:
    """The further groups of the container's user, as text."""
    return [str(number) for one in edits for number in one.additional_gids or () if number]


def node_of_host(path: str) -> Device | None:
    """The device node at *path*, which links may lead to; None when there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116  paths are text here
    except OSError:
        return None
    kind = "c" if stat.S_ISCHR(status.st_mode) else "b" if stat.S_ISBLK(status.st_mode) else ""
    if not kind:
        return None
    number = status.st_rdev
    return Device(
        path=path,
        type=kind,
        major=os.major(number),
        minor=os.minor(number),
        file_mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
    )
