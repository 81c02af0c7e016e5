"""What `-v`, `--mount` and `--tmpfs` ask for, as values; pure but for one question: does this path exist?"""

import posixpath
from collections.abc import Callable, Iterable
from typing import Final

from msgspec.structs import replace

from havre.base.errors import InvalidInput
from havre.engine.id_maps import split_id_map
from havre.engine.model import BindMount, ImageMount, ResolvedMount, TmpfsMount, VolumeMount
from havre.engine.settings import BindOptions, Config, HostConfig, ImageOptions, MountWish, TmpfsOptions, VolumeOptions
from havre.volumes.model import parse_name

PathExists = Callable[[str], bool]
_PROPAGATIONS: Final = frozenset(["private", "rprivate", "shared", "rshared", "slave", "rslave"])
_CONSISTENCIES: Final = frozenset({"consistent", "cached", "delegated", "default"})
_TMPFS_DATA: Final = frozenset(["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"])
_OPPOSITES: Final = (
    ("ro", "rw"),
    ("suid", "nosuid"),
    ("dev", "nodev"),
    ("exec", "noexec"),
    ("sync", "async"),
    ("dirsync",),
    ("remount",),
    ("mand", "nomand"),
    ("atime", "noatime", "strictatime"),
    ("diratime", "nodiratime"),
    ("relatime", "norelatime"),
    ("bind",),
    ("rbind",),
    *((name, f"r{name}") for name in ("private", "shared", "slave", "unbindable")),
)
_GROUP_OF: Final = {flag: number for number, flags in enumerate(_OPPOSITES) for flag in flags}
_TMPFS_DEFAULTS: Final = ("noexec", "nosuid", "nodev")
_LOCAL_MODE: Final = "z"
"""What Docker shows as the mode of a local volume that was given none."""


def resolve_mounts(config: Config, host: HostConfig, exists: PathExists) -> tuple[ResolvedMount, ...]:
    """All mounts of a container, in the order given.

    Raises InvalidInput with Docker's words for a wish that makes no sense. Volumes that image or user declare without
    mounting them become anonymous ones.
    """
    mounts = [
        *(_driven(parse_bind(text), host.volume_driver) for text in host.binds or ()),
        *(parse_mount(wish, exists) for wish in host.mounts or ()),
        *(_short_tmpfs(destination, options) for destination, options in (host.tmpfs or {}).items()),
    ]
    _refuse_duplicates(mounts)
    covered = {mount.destination for mount in mounts}
    declared = {_destination(path): path for path in config.volumes or {}}
    added = (VolumeMount(destination=path, driver=host.volume_driver) for path in declared if path not in covered)
    return (*mounts, *added)


def _driven(mount: BindMount | VolumeMount, driver: str) -> BindMount | VolumeMount:
    return replace(mount, driver=driver) if isinstance(mount, VolumeMount) else mount


def inherited(mounts: Iterable[ResolvedMount], donor: Iterable[ResolvedMount], mode: str) -> list[ResolvedMount]:
    """What `--volumes-from` adds of *donor*'s mounts where *mounts* name nothing else. Raises InvalidInput."""
    options = _parse_mode(mode)
    taken = {mount.destination for mount in mounts if not (isinstance(mount, VolumeMount) and not mount.name)}
    found: list[ResolvedMount] = []
    for mount in donor:
        if mount.destination in taken or isinstance(mount, TmpfsMount):
            continue
        if isinstance(mount, ImageMount):
            found.append(mount)
            continue
        found.append(replace(mount, mode=mode or mount.mode, writable=mount.writable and "ro" not in options))
    return found


def parse_bind(text: str) -> BindMount | VolumeMount:
    """`/host:/inside[:mode]`, `volume:/inside[:mode]` or `/inside`. Raises InvalidInput."""
    parts = text.split(":", 2)
    mode, id_map = split_id_map(parts[2] if len(parts) == 3 else "")
    if "" in parts or ":" in mode:
        raise InvalidInput(f"invalid volume specification: '{text}'")
    if len(parts) == 1:
        return VolumeMount(destination=_inside(text, text, "volume"))
    source, destination = parts[0], parts[1]
    options = _parse_mode(mode)
    kind = "bind" if source.startswith("/") else "volume"
    inside = _inside(text, destination, kind)
    if kind == "volume":
        if options & _PROPAGATIONS:
            raise _bad_spec(text, kind, "field BindOptions must not be specified")
        return VolumeMount(
            name=parse_name(source),
            destination=inside,
            writable="ro" not in options,
            mode=mode or _LOCAL_MODE,
            copy="nocopy" not in options,
            id_map=id_map,
        )
    if "nocopy" in options:
        raise _bad_spec(text, kind, "field VolumeOptions must not be specified")
    return BindMount(
        source=posixpath.normpath(source),
        destination=inside,
        writable="ro" not in options,
        mode=parts[2] if len(parts) == 3 else "",
        id_map=id_map,
        propagation=next((option for option in options if option in _PROPAGATIONS), "rprivate"),
        make_source=True,
    )


def parse_mount(wish: MountWish, exists: PathExists) -> ResolvedMount:
    """The long form. Raises InvalidInput."""
    try:
        if wish.type == "bind":
            return _bind(wish, exists)
        if wish.type == "tmpfs":
            return _tmpfs(wish)
        if wish.type == "volume":
            return _volume(wish)
        if wish.type in {"image", "container"}:
            return _image(wish)
    except InvalidInput as wrong:
        raise InvalidInput(f'invalid mount config for type "{wish.type}": {wrong.message}') from None
    raise InvalidInput(f'invalid mount config for type "{wish.type}": mount type unknown')


def _bind(wish: MountWish, exists: PathExists) -> BindMount:
    inside = _destination(wish.target)
    _refuse_options(wish, own="BindOptions")
    if not wish.source:
        raise InvalidInput("field Source must not be empty")
    options = wish.bind_options or BindOptions()
    if options.propagation and options.propagation not in _PROPAGATIONS:
        raise InvalidInput(f"invalid propagation mode: {options.propagation}")
    if not wish.source.startswith("/"):
        raise InvalidInput(f"invalid mount path: '{wish.source}' mount path must be absolute")
    _check_read_only(wish, options)
    if not options.create_mountpoint and not exists(wish.source):
        raise InvalidInput(f"bind source path does not exist: {wish.source}")
    return BindMount(
        source=posixpath.normpath(wish.source),
        destination=inside,
        writable=not wish.read_only,
        propagation=options.propagation or "rprivate",
        recursive=not options.non_recursive,
        recursive_read_only=wish.read_only and not (options.read_only_non_recursive or options.non_recursive),
        force_recursive_read_only=options.read_only_force_recursive,
        make_source=options.create_mountpoint,
    )


def _volume(wish: MountWish) -> VolumeMount:
    inside = _destination(wish.target)
    _refuse_options(wish, own="VolumeOptions")
    options = wish.volume_options or VolumeOptions()
    driver = options.driver_config
    if options.subpath and not wish.source:
        raise InvalidInput("must not set Subpath when using anonymous volumes")
    return VolumeMount(
        name=parse_name(wish.source) if wish.source else "",
        destination=inside,
        writable=not wish.read_only,
        mode=_LOCAL_MODE,
        copy=not (options.no_copy or options.subpath),
        subpath=_subpath(options.subpath),
        labels=options.labels or {},
        options=(driver.options if driver is not None else None) or {},
        driver=driver.name if driver is not None else "",
    )


def _image(wish: MountWish) -> ImageMount:
    inside = _destination(wish.target)
    _refuse_options(wish, own="ImageOptions")
    if not wish.source:
        raise InvalidInput("field Source must not be empty")
    options = wish.image_options or ImageOptions()
    container = wish.source if wish.type == "container" else ""
    return ImageMount(image=wish.source, container=container, destination=inside, subpath=_subpath(options.subpath))


def _subpath(given: str) -> str:
    """A path below what is mounted; where its links lead is checked when it is opened."""
    if posixpath.isabs(given) or ".." in given.split("/") or "\0" in given:
        raise InvalidInput("subpath must be a relative path within the volume")
    return given


def _inside(text: str, destination: str, kind: str) -> str:
    try:
        return _destination(destination)
    except InvalidInput as wrong:
        raise _bad_spec(text, kind, wrong.message) from None


def _check_read_only(wish: MountWish, options: BindOptions) -> None:
    if options.read_only_non_recursive and not wish.read_only:
        raise InvalidInput("mount is not read-only, so ReadOnlyNonRecursive cannot be specified")
    if not options.read_only_force_recursive:
        return
    if not wish.read_only:
        raise InvalidInput("mount is not read-only, so ReadOnlyForceRecursive cannot be specified")
    if options.read_only_non_recursive:
        raise InvalidInput("ReadOnlyNonRecursive and ReadOnlyForceRecursive cannot be specified together")
    if options.propagation != "rprivate":
        raise InvalidInput("ReadOnlyForceRecursive requires propagation mode to be rprivate")


def _tmpfs(wish: MountWish) -> TmpfsMount:
    inside = _destination(wish.target)
    _refuse_options(wish, own="TmpfsOptions")
    if wish.source:
        raise InvalidInput("field Source must not be specified")
    given = wish.tmpfs_options or TmpfsOptions()
    options = ["=".join(pair) for pair in given.options or ()]
    if given.size_bytes < 0:
        raise InvalidInput(f"invalid tmpfs size {given.size_bytes}")
    if given.size_bytes:
        options.append(f"size={given.size_bytes}")
    if given.mode:
        options.append(f"mode={given.mode:o}")
    if wish.read_only:
        options.append("ro")
    return TmpfsMount(destination=inside, options=tmpfs_options(options), writable=not wish.read_only)


def _short_tmpfs(destination: str, options: str) -> TmpfsMount:
    merged = tmpfs_options([option for option in options.split(",") if option])
    return TmpfsMount(destination=_destination(destination), options=merged, writable="ro" not in merged, listed=False)


def tmpfs_options(given: Iterable[str]) -> tuple[str, ...]:
    """Docker's defaults with *given* over them; of words that contradict each other the last one counts."""
    chosen: dict[str, str] = {}
    for option in (*_TMPFS_DEFAULTS, *given):
        key, equals, value = option.partition("=")
        if equals:
            if key not in _TMPFS_DATA or not value or "\\" in value or any(c < "!" for c in value):
                raise InvalidInput(f'invalid tmpfs option ["{key}" "{value}"]')
            slot = key
        elif option == "defaults":
            continue
        elif (group := _GROUP_OF.get(option)) is not None:
            slot = f"flag {group}"
        else:
            raise InvalidInput(f'invalid tmpfs option ["{option}"]')
        chosen.pop(slot, None)
        chosen[slot] = option
    return tuple(chosen.values())


def _parse_mode(mode: str) -> frozenset[str]:
    if not mode:
        return frozenset()
    seen: dict[str, str] = {}
    for word in mode.split(","):
        kind = _mode_kind(word)
        if kind is None or kind in seen:
            raise InvalidInput(f"invalid mode: {mode}")
        seen[kind] = word
    return frozenset(seen.values())


def _mode_kind(word: str) -> str | None:
    kinds = (
        ("access", {"ro", "rw"}),
        ("label", {"z", "Z"}),
        ("copy", {"nocopy"}),
        ("propagation", _PROPAGATIONS),
        ("consistency", _CONSISTENCIES),
    )
    return next((kind for kind, words in kinds if word in words), None)


def _destination(given: str) -> str:
    if not given:
        raise InvalidInput("field Target must not be empty")
    if not given.startswith("/"):
        raise InvalidInput(f"invalid mount path: '{given}' mount path must be absolute")
    if "\0" in given or "\n" in given:
        raise InvalidInput(f"invalid mount path: {given!r} holds a control character")
    clean = "/" + posixpath.normpath(given).lstrip("/")
    if clean == "/":
        raise InvalidInput("invalid specification: destination can't be '/'")
    return clean


def _refuse_options(wish: MountWish, *, own: str) -> None:
    given = {
        "BindOptions": wish.bind_options,
        "VolumeOptions": wish.volume_options,
        "ImageOptions": wish.image_options,
        "TmpfsOptions": wish.tmpfs_options,
        "ClusterOptions": wish.cluster_options,
    }
    for name, value in given.items():
        if name != own and value is not None:
            raise InvalidInput(f"field {name} must not be specified")


def _refuse_duplicates(mounts: Iterable[ResolvedMount]) -> None:
    seen: set[str] = set()
    for mount in mounts:
        if mount.destination in seen:
            raise InvalidInput(f"Duplicate mount point: {mount.destination}")
        seen.add(mount.destination)


def _bad_spec(text: str, kind: str, why: str) -> InvalidInput:
    return InvalidInput(f"invalid volume specification: '{text}': invalid mount config for type \"{kind}\": {why}")
