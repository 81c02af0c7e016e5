"""Making a container: everything is refused or decided here, nothing runs yet."""

import os
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from havre.base import clock
from havre.base.errors import HavreError, InternalError, InvalidInput, NotFound
from havre.base.ids import new_id
from havre.base.tasks import in_thread, to_the_end
from havre.engine import image_defaults, names
from havre.engine.container_volumes import needs_provision, provide, with_inherited
from havre.engine.health_action import check_health_action
from havre.engine.lacking import supported
from havre.engine.links import settled_links
from havre.engine.model import HOST, SHARED, Record, ResolvedMount
from havre.engine.mount_wishes import resolve_mounts
from havre.engine.network_wishes import settled_endpoints
from havre.engine.parts import Parts
from havre.engine.placeholders import put_files
from havre.engine.roster import Container
from havre.engine.settings import Config, HostConfig, parse_config, parse_endpoints, parse_host
from havre.engine.steps import passed
from havre.engine.validate import check_command, check_runtime, check_settings, settled_host
from havre.images.model import Image, NoSuchImage
from havre.images.platforms import format_platform, parse_platform
from havre.kernel.overlay_options import lower_folders
from havre.oci.descriptor import Platform
from havre.oci.digest import Digest
from havre.wire.containers import CreateContainer, CreateResponse

_FOLDER_MODE = 0o710


class WrongPlatform(NoSuchImage):
    """The image is there, but not for the machine that was asked for."""


async def create(parts: Parts, wanted: CreateContainer, name: str | None, platform: str | None) -> CreateResponse:
    """Make a container, durably. Raises InvalidInput, NotSupported, NameTaken, NoSuchImage.

    NoSuchImage is the only NotFound that comes from here: clients answer it with a pull.
    """
    config, endpoints = parse_config(wanted), parse_endpoints(wanted)
    host, warnings = supported(parse_host(wanted), parts.facts)
    own_name = None if not name else names.parse_name(name)
    warnings += check_settings(config, host, endpoints, parts.facts)
    check_runtime(host, parts.settings.runtimes)
    check_health_action(config, host)
    image = _find_image(parts, config, platform)
    config = image_defaults.joined(config, image.config.process)
    args = check_command(config)
    _check_donors(parts, host)
    mounts = with_inherited(parts, await _resolve(config, host), host.volumes_from)
    identifier = new_id()
    record = Record(
        id=identifier,
        name=own_name or names.fresh_name(parts.roster.names, identifier),
        created_ns=clock.now_ns(),
        image_id=image.id,
        chain="" if image.chain is None else str(image.chain),
        config=replace(config, hostname=config.hostname or _hostname(parts, host, identifier)),
        host=replace(
            settled_host(with_defaults(parts, host), parts.facts, parts.settings.log),
            links=settled_links(parts, host.links, host.network_mode),
        ),
        endpoints=settled_endpoints(host.network_mode, endpoints, partial(_network_name, parts)),
        mounts=mounts,
        args=args,
    )
    await _enter(parts, record, image.chain)
    return {"Id": identifier, "Warnings": warnings}


async def _enter(parts: Parts, record: Record, chain: Digest | None) -> None:
    """Files first, then the record that names them (security.md, rule 23); all or nothing."""
    async with AsyncExitStack() as undo:
        parts.roster.reserve(record.name, record.id)
        undo.callback(parts.roster.release, record.name, record.id)
        undo.push_async_callback(in_thread, parts.snapshots.discard, record.id)
        undo.push_async_callback(in_thread, _remove_folder, parts.folders.container(record.id))
        try:
            await to_the_end(in_thread(_make_folders, parts, record.id, chain))
        except NotFound as damaged:
            raise InternalError(f"image {record.image_id} cannot be used: {damaged.message}") from damaged
        passed("create.files")
        if needs_provision(record):
            record = await provide(parts, record, undo)
            passed("create.volumes")
        undo.callback(parts.records.forget, record.id)  # a caller that goes away while this waits must leave nothing
        await parts.records.save(record)
        passed("create.recorded")
        undo.pop_all()
    container = Container(record)
    parts.roster.add(container)
    parts.tell(container, "create")


def _make_folders(parts: Parts, identifier: str, chain: Digest | None) -> None:
    (root,) = parts.snapshots.prepare(identifier, chain)
    put_files(str(parts.snapshots.diff_path(identifier)), lower_folders(root.options or ()))
    os.mkdir(parts.folders.container(identifier), _FOLDER_MODE)  # noqa: PTH102  one call on the way of each start


def _remove_folder(folder: Path) -> None:
    if folder.exists():
        folder.rmdir()


def _find_image(parts: Parts, config: Config, platform: str | None) -> Image:
    if not config.image:
        check_command(config)
        raise InvalidInput("no image specified")
    image = parts.images.find(config.image)
    return _for_platform(parts, config.image, image, parse_platform(platform)) if platform else image


def _for_platform(parts: Parts, name: str, image: Image, wanted: Platform) -> Image:
    """*image*, or one of those that came by the same index."""
    with suppress(NoSuchImage):
        return parts.images.find(name, wanted)
    raise WrongPlatform(
        f"image with reference {name} was found but does not match the specified platform: "
        f"wanted {format_platform(wanted)}, actual: {format_platform(image.config.platform)}"
    )


def _check_donors(parts: Parts, host: HostConfig) -> None:
    """The containers whose namespaces are to be shared. That of the network may come later, as with Docker."""
    for mode in (host.pid_mode, host.ipc_mode):
        if mode.startswith(SHARED):
            try:
                parts.roster.get(mode.removeprefix(SHARED))
            except HavreError as missing:
                raise InvalidInput(missing.message) from None


def _network_name(parts: Parts, ref: str) -> str:
    """The name of a network; one that is not there may come before the start, as with Docker."""
    try:
        return parts.networks.get(ref).name
    except HavreError:
        return ref


async def _resolve(config: Config, host: HostConfig) -> tuple[ResolvedMount, ...]:
    if not (host.binds or host.mounts or host.tmpfs or config.volumes):
        return ()
    exists: Callable[[str], bool] = os.path.exists
    return await in_thread(resolve_mounts, config, host, exists)  # a path of the user's may be on a file server


def _hostname(parts: Parts, host: HostConfig, identifier: str) -> str:
    if host.network_mode == HOST:
        return parts.facts.name
    if host.network_mode.startswith(SHARED):
        try:
            return parts.roster.get(host.network_mode.removeprefix(SHARED)).record.config.hostname
        except HavreError:
            return identifier[:12]
    return identifier[:12]


def with_defaults(parts: Parts, host: HostConfig) -> HostConfig:
    """The daemon's own defaults: `--init`, `--default-ulimit`, `--no-new-privileges`."""
    settings = parts.settings
    named = {limit.name for limit in host.ulimits or ()}
    extra = [limit for limit in settings.ulimits if limit.name not in named]
    options = host.security_opt or []
    quiet = settings.no_new_privileges and not any(one.startswith("no-new-privileges") for one in options)
    return replace(
        host,
        ipc_mode=host.ipc_mode or settings.ipc_mode,
        cgroupns_mode=host.cgroupns_mode or ("" if host.privileged else settings.cgroupns_mode),
        shm_size=host.shm_size or settings.shm_size_bytes,
        runtime=host.runtime or settings.default_runtime,
        init=settings.init or None if host.init is None else host.init,
        ulimits=[*(host.ulimits or ()), *extra] if extra else host.ulimits,
        security_opt=[*options, "no-new-privileges"] if quiet else host.security_opt,
    )
