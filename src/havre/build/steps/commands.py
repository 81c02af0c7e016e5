"""RUN: from what is written to a process in a tree, with its mounts, and from what it changed to a layer."""

import os
import posixpath
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from havre.base.ids import new_id
from havre.base.tasks import in_thread, to_the_end
from havre.build.context import Context
from havre.build.dockerfile.instructions import Mount as MountWish
from havre.build.dockerfile.instructions import MountKind, Sharing
from havre.build.graph import MountOperation, RunOperation
from havre.build.layers import Workshop
from havre.build.model import BuildFailed, BuildWishes, CommandFailed, LayerMade, Tree
from havre.build.mounts import CacheFolders, CacheWish
from havre.build.seams import ImagePart, Output, Runner, RunWishes, SecretFile
from havre.build.steps.files import Place
from havre.kernel.inroot import open_in_root
from havre.kernel.libc import KernelError
from havre.oci.runtime_spec import Mount

_SCRIPT_MODE = 0o755
_SECRET_MODE = 0o400


@dataclass(frozen=True, slots=True)
class Ran:
    """A command about to run: what is mounted there besides the usual; *caches* are folders by their mounts' ids."""

    mounts: list[Mount]
    parts: list[ImagePart]
    secrets: list[SecretFile]
    env: dict[str, str]
    caches: dict[str, Path]


@dataclass(frozen=True, slots=True)
class Running:
    """One RUN of a build; *places* are where its mounts take their files from, in their order."""

    workshop: Workshop
    runner: Runner
    folders: CacheFolders
    wishes: BuildWishes
    operation: RunOperation
    places: tuple[Place | None, ...]

    async def make(self, key: str, tree: Tree, output: Output, times_ns: int | None) -> LayerMade | None:
        """Run it in the new tree in work *key* on *tree*; what it changed. Raises CommandFailed, BuildFailed."""
        trees = self.workshop.trees
        missing = [device.name for device in self.operation.devices if device.required]
        if missing:
            raise BuildFailed(f"RUN --device={missing[0]}: devices are not given to builds by this version of Havre")
        async with AsyncExitStack() as undo:
            undo.push_async_callback(_discarded, self.workshop, key)
            await to_the_end(in_thread(trees.prepare, key, tree.chain))
            ran = Ran([], [], [], {}, await self._cache_folders(undo))
            for operation, place in zip(self.operation.mounts, self.places, strict=True):
                await self._mount(operation, place, ran)
            code = await self.runner.run(self._run_wishes(key, ran), output)
            if code != 0:
                shown = " ".join(self.operation.argv)
                raise CommandFailed(f"The command '{shown}' returned a non-zero code: {code}", code)
            return await to_the_end(in_thread(self.workshop.seal, key, tree, times_ns))

    def _run_wishes(self, key: str, ran: Ran) -> RunWishes:
        operation, wishes = self.operation, self.wishes
        secrets = list(ran.secrets)
        if operation.script is not None:
            script = operation.script
            data = script.content.encode()
            secrets.append(SecretFile(target=script.path, data=data, mode=_SCRIPT_MODE, uid=0, gid=0))
        network = wishes.network if operation.network == "default" else operation.network
        extra = tuple(f"{name}={value}" for name, value in ran.env.items())
        return RunWishes(
            key=key,
            args=operation.argv,
            env=(*operation.secret_env, *operation.env, *extra),
            user=operation.user,
            working_dir=operation.working_dir,
            network=network,
            hostname=wishes.hostname,
            extra_hosts=wishes.extra_hosts,
            limits=wishes.limits,
            insecure=operation.insecure,
            mounts=tuple(ran.mounts),
            parts=tuple(ran.parts),
            secrets=tuple(secrets),
            security_options=wishes.security_options,
        )

    async def _mount(self, operation: MountOperation, place: Place | None, ran: Ran) -> None:
        wish = operation.mount
        match wish.kind:
            case MountKind.TMPFS:
                options = ["nosuid", "nodev", *([f"size={wish.size_bytes}"] if wish.size_bytes else [])]
                target = self._target(wish.target)
                ran.mounts.append(Mount(destination=target, type="tmpfs", source="tmpfs", options=options))
            case MountKind.BIND:
                await self._bind(wish, place, ran)
            case MountKind.CACHE:
                access = ["ro"] if wish.read_only else []
                source, options = str(ran.caches[self._cache_id(wish)]), ["bind", *access, "rprivate"]
                target = self._target(wish.target)
                ran.mounts.append(Mount(destination=target, type="bind", source=source, options=options))
            case MountKind.SECRET:
                self._secret(wish, ran)
            case MountKind.SSH:
                self._agent(wish, ran)

    async def _bind(self, wish: MountWish, place: Place | None, ran: Ran) -> None:
        target = self._target(wish.target)
        subpath = wish.source.strip("/")
        if not wish.read_only:
            chain = place.chain if isinstance(place, Tree) else None
            folder = str(place.folder) if isinstance(place, Context) else ""
            ran.parts.append(ImagePart(chain=chain, subpath=subpath, target=target, writable=True, folder=folder))
            return
        if isinstance(place, Context):
            source = await in_thread(_path_inside, place, wish.source)
            ran.mounts.append(Mount(destination=target, type="bind", source=source, options=["bind", "ro", "rprivate"]))
            return
        chain = place.chain if place is not None else None
        ran.parts.append(ImagePart(chain=chain, subpath=subpath, target=target))

    async def _cache_folders(self, undo: AsyncExitStack) -> dict[str, Path]:
        """Its cache folders, each taken once, and in one order whoever asks: two steps never wait for each other."""
        wanted: dict[str, tuple[MountWish, Place | None]] = {}
        for operation, place in zip(self.operation.mounts, self.places, strict=True):
            wish = operation.mount
            identifier = self._cache_id(wish)
            if wish.kind is MountKind.CACHE and (identifier not in wanted or wish.sharing is Sharing.LOCKED):
                wanted[identifier] = wish, place
        return {identifier: await self._cache(identifier, *wanted[identifier], undo) for identifier in sorted(wanted)}

    def _cache_id(self, wish: MountWish) -> str:
        return wish.id or self._target(wish.target)

    async def _cache(self, identifier: str, wish: MountWish, place: Place | None, undo: AsyncExitStack) -> Path:
        folder_wish = CacheWish(
            id=identifier,
            sharing=wish.sharing or Sharing.SHARED,
            mode=0o755 if wish.mode is None else wish.mode,
            uid=wish.uid or 0,
            gid=wish.gid or 0,
        )
        initial: int | None = None
        if isinstance(place, Tree) and place.layers:
            key = new_id()
            undo.push_async_callback(_discarded, self.workshop, key)
            await to_the_end(in_thread(self.workshop.trees.prepare, key, place.chain))
            whole = undo.enter_context(self.workshop.trees.mounted(key))
            initial = open_in_root(whole, "/" + wish.source, os.O_RDONLY | os.O_DIRECTORY)
            undo.callback(os.close, initial)
        return await undo.enter_async_context(self.folders.used(folder_wish, initial))

    def _secret(self, wish: MountWish, ran: Ran) -> None:
        identifier = wish.id or posixpath.basename(wish.target)
        data = self.wishes.secrets.get(identifier)
        if data is None:
            if wish.required:
                raise BuildFailed(f"secret {identifier}: not found")
            return
        if wish.env is not None:
            ran.env[wish.env or identifier] = data.decode(errors="replace")
        if wish.target or wish.env is None:
            target = self._target(wish.target or f"/run/secrets/{identifier}")
            mode = _SECRET_MODE if wish.mode is None else wish.mode
            uid, gid = wish.uid or 0, wish.gid or 0
            ran.secrets.append(SecretFile(target=target, data=data, mode=mode, uid=uid, gid=gid))

    def _agent(self, wish: MountWish, ran: Ran) -> None:
        identifier = wish.id or "default"
        socket = self.wishes.ssh_agents.get(identifier)
        if socket is None:
            if wish.required:
                raise BuildFailed(f"unset ssh forward key {identifier}")
            return
        target = self._target(wish.target or f"/run/buildkit/ssh_agent.{len(ran.mounts)}")
        ran.mounts.append(Mount(destination=target, type="bind", source=socket, options=["bind", "rprivate"]))
        ran.env["SSH_AUTH_SOCK"] = target

    def _target(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self.operation.working_dir, path))


async def _discarded(workshop: Workshop, key: str) -> None:
    await to_the_end(in_thread(workshop.trees.discard, key))


def _path_inside(context: Context, path: str) -> str:
    """Where *path* of the context lies on the host; no link leads out of it. Raises BuildFailed."""
    try:
        handle = open_in_root(context.root, "/" + path.lstrip("/"), os.O_PATH)
    except KernelError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise BuildFailed(f"failed to calculate checksum of ref: {path}: {reason}") from error
    try:
        return str(Path(f"/proc/self/fd/{handle}").readlink())
    finally:
        os.close(handle)
