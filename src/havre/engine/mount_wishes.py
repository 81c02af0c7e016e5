"""What `-v`, `--mount` and `--tmpfs` ask for, as values; pure but for one question: does this path exist?"""

import posixpath
from collections.abc import Callable, Iterable
from typing import Final

from havre.base.errors import InvalidInput
from havre.engine.model import BindMount, ResolvedMount, TmpfsMount, VolumeMount
from havre.engine.mount_words import PROPAGATIONS, destination_of, refuse_options, split_id_map
from havre.engine.settings import BindOptions, Config, HostConfig, MountWish, TmpfsOptions
from havre.engine.volume_wishes import declared_volume, image_mount, long_volume, short_volume

PathExists = Callable[[str], bool]
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


def resolve_mounts(
    config: Config, host: HostConfig, exists: PathExists, inherited: Iterable[ResolvedMount] = ()
) -> tuple[ResolvedMount, ...]:
    """All mounts of a container: *inherited* ones that nothing covers, those given, then the volumes of the image.

    Raises InvalidInput with Docker's words for a wish that makes no sense.
    """
    given: list[ResolvedMount] = [
        *(parse_bind(text, host.volume_driver) for text in host.binds or ()),
        *(parse_mount(wish, exists) for wish in host.mounts or ()),
        *(_short_tmpfs(destination, options) for destination, options in (host.tmpfs or {}).items()),
    ]
    _refuse_duplicates(given)
    covered = {mount.destination for mount in given}
    kept = [mount for mount in inherited if mount.destination not in covered]
    covered |= {mount.destination for mount in kept}
    volumes = (declared_volume(path, host.volume_driver) for path in config.volumes or {})
    return (*kept, *given, *(mount for mount in volumes if mount.destination not in covered))


def parse_bind(text: str, driver: str = "") -> BindMount | VolumeMount:
    """`/host:/inside[:mode]`, `name:/inside[:mode]` or `/inside`. Raises InvalidInput."""
    parts = text.split(":", 2)
    mode = parts[2] if len(parts) == 3 else ""
    words, id_map = split_id_map(mode)
    if "" in parts or ":" in words:
        raise InvalidInput(f"invalid volume specification: '{text}'")
    options = _parse_mode(words)
    if len(parts) == 1 or not parts[0].startswith("/"):
        return short_volume(text, parts, options, driver, id_map)
    if "nocopy" in options:
        raise _bad_spec(text, "field VolumeOptions must not be specified")
    try:
        inside = destination_of(parts[1])
    except InvalidInput as wrong:
        raise _bad_spec(text, wrong.message) from None
    return BindMount(
        source=posixpath.normpath(parts[0]),
        destination=inside,
        writable="ro" not in options,
        mode=mode,
        propagation=next((option for option in options if option in PROPAGATIONS), "rprivate"),
        make_source=True,
        id_map=id_map,
    )


def parse_mount(wish: MountWish, exists: PathExists) -> ResolvedMount:
    """The long form. Raises InvalidInput."""
    try:
        if wish.type == "bind":
            return _bind(wish, exists)
        if wish.type == "tmpfs":
            return _tmpfs(wish)
        if wish.type == "volume":
            return long_volume(wish)
        if wish.type == "image":
            return image_mount(wish)
    except InvalidInput as wrong:
        if wrong.message.startswith("create "):
            raise
        raise InvalidInput(f'invalid mount config for type "{wish.type}": {wrong.message}') from None
    raise InvalidInput(f'invalid mount config for type "{wish.type}": mount type unknown')


def _bind(wish: MountWish, exists: PathExists) -> BindMount:
    inside = destination_of(wish.target)
    refuse_options(wish, own="BindOptions")
    if not wish.source:
        raise InvalidInput("field Source must not be empty")
    options = wish.bind_options or BindOptions()
    if options.propagation and options.propagation not in PROPAGATIONS:
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
    inside = destination_of(wish.target)
    refuse_options(wish, own="TmpfsOptions")
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
    return TmpfsMount(
        destination=destination_of(destination), options=merged, writable="ro" not in merged, listed=False
    )


def tmpfs_options(given: Iterable[str]) -> tuple[str, ...]:
    """Docker's defaults with *given* over them; of words that contradict each other the last one counts."""
    chosen: dict[str, str] = {}
    for option in (*_TMPFS_DEFAULTS, *given):
        key, equals, value = option.partition("=")
        if equals:
            if key not in _TMPFS_DATA or not value or "\\" in value or any(c < "!" for c in value):
                raise InvalidInput(f'invalid tmpfs option ["{option}"]')
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
        ("propagation", PROPAGATIONS),
        ("consistency", _CONSISTENCIES),
    )
    return next((kind for kind, words in kinds if word in words), None)


def _refuse_duplicates(mounts: Iterable[ResolvedMount]) -> None:
    seen: set[str] = set()
    for mount in mounts:
        if mount.destination in seen:
            raise InvalidInput(f"Duplicate mount point: {mount.destination}")
        seen.add(mount.destination)


def _bad_spec(text: str, why: str) -> InvalidInput:
    return InvalidInput(f"invalid volume specification: '{text}': invalid mount config for type \"bind\": {why}")
