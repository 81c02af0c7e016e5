"""What `-v`, `--mount`, VOLUME and `--volumes-from` ask for of volumes and images; pure."""

import posixpath
from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from havre.base.errors import InvalidInput
from havre.engine.model import BindMount, IdMap, ImageMount, ResolvedMount, VolumeMount
from havre.engine.mount_words import PROPAGATIONS, destination_of, refuse_options
from havre.engine.settings import ImageOptions, MountWish, VolumeOptions
from havre.volumes.model import LOCAL, check_name

_RELABEL: Final = "z"


def short_volume(
    text: str, parts: list[str], options: Collection[str], driver: str, id_map: IdMap | None
) -> VolumeMount:
    """`name:/inside[:mode]` or `/inside`. Raises InvalidInput."""
    name = parts[0] if len(parts) > 1 else ""
    if any(option in PROPAGATIONS for option in options):
        raise bad_volume(text, "field BindOptions must not be specified")
    try:
        inside = destination_of(parts[1] if name else parts[0])
    except InvalidInput as wrong:
        raise bad_volume(text, wrong.message) from None
    if name and driver in {"", LOCAL}:
        check_name(name)
    return VolumeMount(
        name=name,
        destination=inside,
        driver=driver or LOCAL,
        writable="ro" not in options,
        mode=parts[2] if len(parts) == 3 else _RELABEL,
        copy="nocopy" not in options,
        anonymous=not name,
        id_map=id_map,
    )


def long_volume(wish: MountWish) -> VolumeMount:
    """`--mount type=volume`. Raises InvalidInput."""
    inside = destination_of(wish.target)
    refuse_options(wish, own="VolumeOptions")
    options = wish.volume_options or VolumeOptions()
    driver = options.driver_config
    name = driver.name if driver is not None else ""
    if wish.source and name in {"", LOCAL}:
        check_name(wish.source)
    if options.subpath:
        _check_subpath(options.subpath)
        if not wish.source:
            raise InvalidInput("must not set Subpath when using anonymous volumes")
    return VolumeMount(
        name=wish.source,
        destination=inside,
        driver=name or LOCAL,
        writable=not wish.read_only,
        mode=_RELABEL,
        copy=not (options.no_copy or options.subpath),
        anonymous=not wish.source,
        subpath=options.subpath,
        labels=options.labels,
        driver_options=driver.options if driver is not None else None,
    )


def declared_volume(path: str, driver: str) -> VolumeMount:
    """A VOLUME of the image, or a `-v` of one path. Raises InvalidInput."""
    if not path.startswith("/"):
        raise InvalidInput(f"invalid mount path: '{path}' mount path must be absolute")
    return VolumeMount(destination=destination_of(path), driver=driver or LOCAL, anonymous=True, declared=True)


def image_mount(wish: MountWish) -> ImageMount:
    """`--mount type=image`. Raises InvalidInput."""
    inside = destination_of(wish.target)
    refuse_options(wish, own="ImageOptions")
    if not wish.source:
        raise InvalidInput("field Source must not be empty")
    options = wish.image_options or ImageOptions()
    if options.subpath:
        _check_subpath(options.subpath)
    return ImageMount(image=wish.source, destination=inside, subpath=options.subpath)


def parse_donor(text: str) -> tuple[str, str]:
    """`CONTAINER[:MODE]` of `--volumes-from`. Raises InvalidInput."""
    if not text:
        raise InvalidInput("volumes-from specification cannot be an empty string")
    name, _, mode = text.partition(":")
    if mode and not set(mode.split(",")) <= {"ro", "rw", "z", "Z"}:
        raise InvalidInput(f"invalid mode: {mode}")
    return name, mode


def inherited_mounts(mounts: Iterable[ResolvedMount], mode: str) -> list[ResolvedMount]:
    """The mounts of a donor as another container gets them."""
    read_only = "ro" in mode.split(",")
    return [_inherited(mount, read_only=read_only) for mount in mounts]


def _inherited(mount: ResolvedMount, *, read_only: bool) -> ResolvedMount:
    if isinstance(mount, ImageMount):
        return mount
    writable = mount.writable and not read_only
    if isinstance(mount, VolumeMount):
        return msgspec.structs.replace(mount, writable=writable, copy=False, declared=False, mode="")
    if isinstance(mount, BindMount):
        return msgspec.structs.replace(mount, writable=writable, mode="")
    options = mount.options if writable or "ro" in mount.options else (*mount.options, "ro")
    return msgspec.structs.replace(mount, writable=writable, options=options)


def _check_subpath(subpath: str) -> None:
    if posixpath.isabs(subpath) or ".." in subpath.split("/") or "\0" in subpath:
        raise InvalidInput("subpath must be a relative path within the volume")


def bad_volume(text: str, why: str) -> InvalidInput:
    """What is wrong with a short form, in Docker's words."""
    return InvalidInput(f"invalid volume specification: '{text}': invalid mount config for type \"volume\": {why}")
