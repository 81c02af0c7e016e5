"""The commands of a build, run as containers run: the same namespaces, filters, limits and networks, but no record."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from havre.base.errors import HavreError
from havre.base.tasks import in_thread, to_the_end
from havre.build.layers import drop_places, drop_touched, missing_places
from havre.build.model import BuildFailed
from havre.build.seams import ImagePart, Output, RunWishes, SecretFile
from havre.engine.build_parts import stage_writable
from havre.engine.create import with_defaults
from havre.engine.lacking import supported
from havre.engine.model import ImageMount, Record
from havre.engine.parts import Parts
from havre.engine.remove import remove_folder
from havre.engine.seams import Shim
from havre.engine.settings import Config, HostConfig, LogSettings, Ulimit
from havre.engine.shared_memory import folder_of, unmount_shared_memory
from havre.engine.spec import build_bundle
from havre.engine.staged import unstage_all
from havre.engine.surroundings import connect, prepare
from havre.engine.validate import settled_host
from havre.kernel.mounts import MountFlag, mount
from havre.logs.frame import HEADER_SIZE, STDERR, parse_header
from havre.oci.runtime_spec import Mount
from havre.runtime.bundle import AttachWishes, Bundle
from havre.runtime.errors import StartFailed
from havre.snapshots.contract import View

_TASK: Final = "failed to create task for container: failed to create shim task: "
_KILL: Final = 9
_END_S: Final = 5.0
_TRIES: Final = 60
_PAUSE_S: Final = 1.0
_log = logging.getLogger(__name__)
_SECRETS_BYTES: Final = 16 << 20
_SILENT: Final = LogSettings(type="none")


class StepRunner:
    """Implements `build.seams.Runner` with the rooms of the engine.

    A step's key is shaped like a container's id, so that what a killed engine left of it is swept at the next start.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self, wishes: RunWishes, output: Output) -> int:
        """See `build.seams.Runner`."""
        parts, record = self._parts, self._record(wishes)
        async with AsyncExitStack() as undo:
            self._push(undo, remove_folder, parts.folders.container(record.id))
            attachment = await connect(parts, record)
            undo.push_async_callback(self._detach, record.id)
            around = await prepare(parts, record, attachment, undo)
            writable = await in_thread(self._stage, wishes, undo)
            secrets = await in_thread(self._put_secrets, wishes, undo)
            bundle = _with_mounts(build_bundle(record, around), (*wishes.mounts, *writable, *secrets))
            places = await in_thread(self._places, bundle)
            self._push(undo, self._clean, record.id, places)
            undo.push_async_callback(self._take_away, record.id)
            return await self._run(bundle, output)

    async def _run(self, bundle: Bundle, output: Output) -> int:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            try:
                wish = AttachWishes(stdout=True, stderr=True, framed=True)
                shim = await self._parts.runtime.launch(bundle, [(theirs, wish)])
            except StartFailed as failed:
                raise BuildFailed(_TASK + failed.message) from failed
            theirs.close()
            try:
                await _relay(ours, output)
                return (await shim.wait_exit()).code
            except BaseException:
                await to_the_end(_kill(shim))
                raise

    def _record(self, wishes: RunWishes) -> Record:
        parts = self._parts
        return Record(
            id=wishes.key,
            name=wishes.key,
            created_ns=0,
            image_id="",
            chain="",
            config=Config(
                hostname=wishes.hostname or wishes.key[:12],
                user=wishes.user,
                env=list(wishes.env),
                working_dir=wishes.working_dir,
            ),
            host=settled_host(with_defaults(parts, supported(_host(wishes), parts.facts)[0]), parts.facts, _SILENT),
            mounts=tuple(_image_mount(part) for part in wishes.parts if not part.writable),
            args=wishes.args,
        )

    def _stage(self, wishes: RunWishes, undo: AsyncExitStack) -> list[Mount]:
        parts = [part for part in wishes.parts if part.writable]
        if parts:
            self._push(undo, unstage_all, self._parts, wishes.key)
        return [stage_writable(self._parts, wishes.key, number, part) for number, part in enumerate(parts)]

    def _put_secrets(self, wishes: RunWishes, undo: AsyncExitStack) -> list[Mount]:
        """The secrets as files in memory, and how they are mounted."""
        if not wishes.secrets:
            return []
        root = self._parts.folders.exec_root
        self._push(undo, unmount_shared_memory, root, wishes.key)
        folder = folder_of(root, wishes.key)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mount("havre-build", folder, "tmpfs", MountFlag.NOSUID | MountFlag.NODEV, f"mode=0700,size={_SECRETS_BYTES}")
        return [_put_secret(folder / str(number), one) for number, one in enumerate(wishes.secrets)]

    def _places(self, bundle: Bundle) -> tuple[str, ...]:
        with self._parts.snapshots.mounted(bundle.id) as root:
            return missing_places(root, [mount.destination for mount in bundle.spec.mounts or ()])

    def _clean(self, key: str, places: tuple[str, ...]) -> None:
        snapshots = self._parts.snapshots
        with snapshots.mounted(key, View.OWN) as own, snapshots.mounted(key, View.BELOW) as below:
            drop_places(own, places)
            drop_touched(own, below, places)

    # -- undoing: each to its end, though the build was cancelled

    def _push(self, undo: AsyncExitStack, function: Callable[..., None], *arguments: object) -> None:
        async def call() -> None:
            await to_the_end(in_thread(function, *arguments))

        undo.push_async_callback(call)

    async def _detach(self, key: str) -> None:
        """A failure must not hide how the command ended; on a full disk there is room again once its tree is gone."""
        try:
            await to_the_end(self._parts.networks.detach(key))
        except HavreError as failed:
            _log.warning("network of build step %s is given back later: %s", key[:12], failed.message)
            _ = self._parts.tasks.start(self._detach_later(key), name=f"detach {key[:12]}")

    async def _detach_later(self, key: str) -> None:
        for _ in range(_TRIES):
            await asyncio.sleep(_PAUSE_S)
            with suppress(HavreError):
                await self._parts.networks.detach(key)
                return

    async def _take_away(self, key: str) -> None:
        await to_the_end(self._parts.runtime.remove(key))


async def _relay(connection: socket.socket, output: Output) -> None:
    """Hand on what the process says until its streams end."""
    connection.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    try:
        while True:
            try:
                stream, size = parse_header(await reader.readexactly(HEADER_SIZE))
                await output(await reader.readexactly(size), stream == STDERR)
            except asyncio.IncompleteReadError:
                return
    finally:
        writer.close()


async def _kill(shim: Shim) -> None:
    with suppress(HavreError, TimeoutError):
        await shim.signal(_KILL, whole=True)
        async with asyncio.timeout(_END_S):
            await shim.wait_exit()


def _host(wishes: RunWishes) -> HostConfig:
    limits = wishes.limits
    return HostConfig(
        network_mode=wishes.network,
        privileged=wishes.insecure,
        extra_hosts=list(wishes.extra_hosts) or None,
        security_opt=list(wishes.security_options) or None,
        memory=limits.memory_bytes,
        memory_swap=limits.memory_swap_bytes,
        cpu_shares=limits.cpu_shares,
        cpu_period=limits.cpu_period,
        cpu_quota=limits.cpu_quota,
        cpuset_cpus=limits.cpuset_cpus,
        cpuset_mems=limits.cpuset_mems,
        shm_size=limits.shm_bytes,
        cgroup_parent=limits.cgroup_parent,
        ulimits=[Ulimit(name=name, soft=soft, hard=hard) for name, soft, hard in limits.ulimits] or None,
        init=False,
        log_config=_SILENT,
    )


def _image_mount(part: ImagePart) -> ImageMount:
    chain = "" if part.chain is None else str(part.chain)
    return ImageMount(image="the build", destination=part.target, chain=chain, subpath=part.subpath.strip("/"))


def _put_secret(path: Path, secret: SecretFile) -> Mount:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(path, flags, 0o600)
    try:
        os.write(handle, secret.data)
        os.fchown(handle, secret.uid, secret.gid)
        os.fchmod(handle, secret.mode)
    finally:
        os.close(handle)
    return Mount(destination=secret.target, type="bind", source=str(path), options=["bind", "ro", "rprivate"])


def _with_mounts(bundle: Bundle, more: Sequence[Mount]) -> Bundle:
    """*bundle* with further mounts, parents first."""
    if not more:
        return bundle
    mounts = sorted([*(bundle.spec.mounts or ()), *more], key=lambda mount: mount.destination.rstrip("/").count("/"))
    return replace(bundle, spec=replace(bundle.spec, mounts=mounts))
