"""What a container mounts: volumes, folders, memory, secrets and configs that are files."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from havre.compose.errors import ComposeError
from havre.compose.model.grants import Grant, place
from havre.compose.model.mounts import Mount as Wish
from havre.compose.model.project import Project
from havre.compose.model.resources import FileObject
from havre.compose.model.service import Service
from havre.wire.container_config import BindOptions, Mount, TmpfsOptions, VolumeOptions

_DOCKER_SOCKET = "/var/run/docker.sock"


class Storage(Struct, frozen=True):
    """Short forms, long forms, and anonymous volumes."""

    binds: list[str]
    mounts: list[Mount]
    volumes: list[str]


def storage(service: Service, project: Project, inherited: Mapping[str, str], socket: str) -> Storage:
    """The mounts of one container; *inherited* volumes are found again at their old places."""
    made = Storage([], [], [])
    for wish in service.volumes:
        _add(wish, project, inherited, made)
    taken = {wish.target for wish in service.volumes} | {entry.partition(":")[0] for entry in service.tmpfs}
    made.binds.extend(f"{name}:{target}" for target, name in inherited.items() if target not in taken)
    for kind, grants, known in (
        ("secret", service.secrets, project.secrets), ("config", service.configs, project.configs),
    ):  # fmt: skip
        for grant in grants:
            _check_grant(kind, grant, known[grant.source])
            if mounted_file(grant, known[grant.source]):
                made.mounts.append(
                    {"Type": "bind", "Source": known[grant.source].file, "Target": place(kind, grant), "ReadOnly": True}
                )
    if service.use_api_socket:
        if not socket:
            raise ComposeError(f"service {service.name!r}: use_api_socket needs a daemon on a unix socket")
        made.binds.append(f"{socket}:{_DOCKER_SOCKET}")
    return made


def mounted_file(grant: Grant, source: FileObject) -> bool:
    """Whether a secret or config is the file itself; with an owner or mode of its own it is a copy."""
    return bool(source.file) and not grant.uid and not grant.gid and grant.mode is None


def _check_grant(kind: str, grant: Grant, source: FileObject) -> None:
    if source.external:
        raise ComposeError(
            f"unsupported external {kind} {source.name or grant.source!r}: external {kind}s live in a swarm"
        )
    if source.driver or source.template_driver:
        raise ComposeError(f"{kind} {grant.source!r}: drivers of {kind}s live in a swarm")


def _add(wish: Wish, project: Project, inherited: Mapping[str, str], made: Storage) -> None:
    match wish.type:
        case "bind":
            _bind(wish, made)
        case "volume":
            _volume(wish, project, inherited, made)
        case "tmpfs":
            options: TmpfsOptions = {}
            if wish.tmpfs and wish.tmpfs.size:
                options["SizeBytes"] = int(wish.tmpfs.size)
            if wish.tmpfs and wish.tmpfs.mode is not None:
                options["Mode"] = wish.tmpfs.mode
            made.mounts.append({**_plain(wish), "TmpfsOptions": options})
        case "image":
            subpath = wish.image.subpath if wish.image else ""
            mount: Mount = {**_plain(wish), "Source": wish.source}
            if subpath:
                mount["ImageOptions"] = {"Subpath": subpath}
            made.mounts.append(mount)
        case other:
            raise ComposeError(f"mount of type {other!r} at {wish.target}: not supported on one Linux host")


def _plain(wish: Wish) -> Mount:
    made: Mount = {"Type": wish.type, "Target": wish.target, "ReadOnly": wish.read_only}
    if wish.consistency:
        made["Consistency"] = wish.consistency
    return made


def _bind(wish: Wish, made: Storage) -> None:
    bind = wish.bind
    if bind and bind.create_host_path and bind.recursive in ("", "enabled"):
        modes = ["ro" if wish.read_only else "rw", bind.selinux, bind.propagation]
        made.binds.append(f"{wish.source}:{wish.target}:{','.join(filter(None, modes))}")
        return
    options: BindOptions = {}
    if bind and bind.propagation:
        options["Propagation"] = bind.propagation
    if bind and bind.create_host_path:
        options["CreateMountpoint"] = True
    match bind.recursive if bind else "":
        case "disabled":
            options["NonRecursive"] = True
        case "writable":
            options["ReadOnlyNonRecursive"] = True
        case "readonly":
            options["ReadOnlyForceRecursive"] = True
        case _:
            pass
    made.mounts.append({**_plain(wish), "Source": wish.source, "BindOptions": options})


def _volume(wish: Wish, project: Project, inherited: Mapping[str, str], made: Storage) -> None:
    options = wish.volume
    source = project.volumes[wish.source].name if wish.source in project.volumes else wish.source
    source = source or inherited.get(wish.target, "")
    if options and (options.subpath or options.labels):
        wishes: VolumeOptions = {"NoCopy": options.nocopy}
        if options.subpath:
            wishes["Subpath"] = options.subpath
        if options.labels:
            wishes["Labels"] = dict(options.labels)
        made.mounts.append({**_plain(wish), "Source": source, "VolumeOptions": wishes})
    elif source:
        modes = ["ro" if wish.read_only else "rw", "nocopy" if options and options.nocopy else ""]
        made.binds.append(f"{source}:{wish.target}:{','.join(filter(None, modes))}")
    else:
        made.volumes.append(wish.target)
