"""The builder of one data root, opened: its folders, its cache, and what it takes from the engine."""

from dataclasses import dataclass
from functools import cache as once
from pathlib import Path

from havre.base.tasks import in_thread
from havre.build.cache import Cache
from havre.build.context import Contexts
from havre.build.mounts import CacheFolders
from havre.build.seams import Building, Trees
from havre.engine.build_cache import BuildCache
from havre.engine.build_images import BuildImages
from havre.engine.build_runs import StepRunner
from havre.engine.build_sessions import BuildSessions
from havre.engine.builds import Builds
from havre.engine.parts import Parts
from havre.images.images import Images
from havre.registry.client.registries import Registries


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where builds are made: the service that makes them, and the one that shows and prunes what they left."""

    builds: Builds
    cache: BuildCache
    sessions: BuildSessions
    contexts: Contexts

    async def close(self) -> None:
        """End what is lent, and wait until what builds threw away is gone."""
        self.sessions.close()
        await in_thread(self.contexts.close)


async def open_builder(parts: Parts, images: Images, trees: Trees, registries: Registries) -> Workplace:
    """Open the builder below the data root. What a dead process left half-made is swept. Raises InternalError."""
    root = parts.folders.data_root / "build"
    await in_thread(_make_folders, root)
    cache = Cache(root / "cache.db", lambda chain: trees.find(chain) is not None)
    contexts, folders = Contexts(root / "contexts"), CacheFolders(root / "mounts", parts.volumes)
    sessions = BuildSessions(parts.folders.exec_root)
    await in_thread(sessions.sweep)
    await in_thread(_open, cache, contexts, folders)
    images.spare(cache.needed)

    @once
    def builder() -> Building:
        # The language of Dockerfiles loads with it, a third of the daemon's start.
        from havre.build.builder import Builder, Rooms

        rooms = Rooms(
            images=images,
            trees=trees,
            cache=cache,
            contexts=contexts,
            folders=folders,
            source=BuildImages(parts, images, registries),
            runner=StepRunner(parts),
            registries=registries,
        )
        return Builder(rooms)

    return Workplace(Builds(parts, builder, sessions), BuildCache(images, cache, folders), sessions, contexts)


def _make_folders(root: Path) -> None:
    for folder in (root, root / "contexts"):
        folder.mkdir(mode=0o700, exist_ok=True)


def _open(cache: Cache, contexts: Contexts, folders: CacheFolders) -> None:
    contexts.open()
    folders.open()
    cache.open()
