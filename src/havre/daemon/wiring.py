"""Every room, built once and joined: the only place that sees them all."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass

from havre.api.router import Route
from havre.api.routes import (
    attach,
    build,
    build_sessions,
    commit,
    containers,
    events,
    exec,  # noqa: A004
    files,
    images,
    leases,
    logs,
    networks,
    refused,
    registries,
    stats,
    system,
    volume_copies,
    volumes,
)
from havre.base.ids import new_id
from havre.base.tasks import in_thread
from havre.content.store import Content
from havre.daemon.config import Config
from havre.daemon.settings import engine_settings, network_settings, registry_settings, told_of_transfers
from havre.engine import recovery
from havre.engine.archives import Archives
from havre.engine.attach import Streams
from havre.engine.builder_rooms import Workplace, open_builder
from havre.engine.collection import Collections
from havre.engine.commit import Commits, end_freezes
from havre.engine.containers import Containers
from havre.engine.events import Events
from havre.engine.execs import Execs
from havre.engine.files import Files
from havre.engine.host import read_host
from havre.engine.image_trees import ImageTrees
from havre.engine.images import ImageService
from havre.engine.labels import Labels
from havre.engine.leases import Leases
from havre.engine.lives import Lives
from havre.engine.networks import NetworkService
from havre.engine.parts import Parts
from havre.engine.places import Folders
from havre.engine.probes import Probes
from havre.engine.records import Records
from havre.engine.registries import RegistryService
from havre.engine.restarts import finish_restarts
from havre.engine.seccomp_filters import Filters, check_profile
from havre.engine.stats import Stats
from havre.engine.stop import end_all
from havre.engine.system import System
from havre.engine.transfers import Transfers
from havre.engine.upkeep import RunningMark, tidy
from havre.engine.volume_copies import VolumeCopies
from havre.engine.volumes import VolumeService
from havre.images.images import Images
from havre.images.names import Names
from havre.kernel.cgroups import Cgroups, open_cgroups
from havre.kernel.cgroups.vacating import vacate_top
from havre.networks.networks import Networks
from havre.registry.client.registries import Registries
from havre.runtime.defaults import CGROUP_PARENT
from havre.runtime.runtime import Runtime
from havre.snapshots.overlay import Overlay
from havre.volumes.volumes import Volumes


@dataclass(frozen=True, slots=True)
class _Joined:
    """What the services stand on."""

    parts: Parts
    images: Images
    registries: Registries
    networks: Networks
    engine_id: str
    cgroups: Cgroups
    execs: Execs
    leases: Leases
    workplace: Workplace

    def routes(self) -> list[Route]:
        """Each noun with the one service it asks."""
        parts = self.parts
        streams, lives = Streams(parts), Lives(parts)
        volume_service = VolumeService(parts)
        image_service = ImageService(parts, self.images)
        return [
            *containers.routes(Containers(parts)),
            *containers.life_routes(lives),
            *containers.watch_routes(lives),
            *stats.routes(Stats(parts, self.cgroups)),
            *logs.routes(streams),
            *attach.routes(streams),
            *exec.routes(self.execs),
            *files.routes(Files(parts)),
            *build.routes(self.workplace.builds, self.workplace.cache),
            *build_sessions.routes(self.workplace.sessions, ImageTrees(parts)),
            *commit.routes(Commits(parts, self.images)),
            *events.routes(parts.events),
            *leases.routes(self.leases),
            *images.archive_routes(Archives(parts, self.images), Transfers(parts, self.images, self.registries)),
            *registries.routes(RegistryService(parts, self.registries)),
            *images.collection_routes(Collections(parts, self.images, image_service)),
            *images.routes(image_service),
            *networks.routes(NetworkService(self.networks, parts)),
            *volumes.routes(volume_service),
            *volume_copies.routes(VolumeCopies(parts)),
            *system.routes(System(parts, image_service, volume_service, self.workplace.cache, self.engine_id)),
            *refused.routes(),
        ]

    def labels(self) -> Labels:
        """Who bears which labels."""
        return Labels(self.parts, self.execs)

    def reload(self, config: Config) -> None:
        """Heed what of *config* may change without a start, and tell of it."""
        settings = self.parts.settings
        settings.reload(engine_settings(config, settings.warnings))
        self.registries.settings = registry_settings(config)
        told = {**settings.told(), **told_of_transfers(config), "name": self.parts.facts.name}
        self.parts.events.publish("daemon", "reload", self.engine_id, told)

    async def end_containers(self, patience_s: float) -> None:
        """End everything that runs."""
        await end_all(self.parts, patience_s)


@asynccontextmanager
async def open_rooms(config: Config, runtime: Runtime, warnings: Sequence[str]) -> AsyncIterator[_Joined]:
    """All rooms on top of a *runtime* that is open; closed again in the opposite order."""
    settings = engine_settings(config, tuple(warnings))
    check_profile(settings.seccomp)
    async with AsyncExitStack() as undo:
        snapshots, pictures = await _open_images(config, undo)
        registry_client = Registries(registry_settings(config))
        undo.push_async_callback(registry_client.close)
        cables = Networks(config.data_root / "networks", config.exec_root, network_settings(config.network))
        undo.push_async_callback(cables.close)
        await cables.open()
        records = Records(config.data_root / "havre.db")
        found = records.open()
        undo.push_async_callback(records.close)
        shelf = Volumes(config.data_root / "volumes")
        await shelf.open()
        folders = Folders(config.data_root, config.exec_root)
        folders.containers.mkdir(mode=0o710, exist_ok=True)
        cgroups = undo.enter_context(closing(open_cgroups()))
        vacate_top(cgroups)
        facts = read_host(cgroups, config.containers.cgroup_parent or CGROUP_PARENT)
        parts = Parts(
            records=records,
            runtime=runtime,
            networks=cables,
            snapshots=snapshots,
            images=pictures,
            volumes=shelf,
            folders=folders,
            facts=facts,
            settings=settings,
            events=Events(),
            filters=Filters(facts, settings.seccomp),
        )
        undo.push_async_callback(parts.tasks.close)
        undo.callback(parts.clients.close)
        undo.callback(parts.events.close)
        await recovery.load(parts, found)
        execs = Execs(parts)
        parts.beginnings.append(Probes(parts, execs).begin)
        await cables.reconcile(recovery.living(parts, found.damaged))
        recovery.agree(parts, cables.find_attachment)
        await recovery.settle(parts, found.damaged)
        await end_freezes(parts)
        finish_restarts(parts)
        held = Leases(parts)
        held.begin()
        await in_thread(snapshots.sweep)
        mark = RunningMark(config.data_root)
        mark.begin()
        undo.callback(mark.end)
        workplace = await open_builder(parts, pictures, snapshots, registry_client)
        undo.push_async_callback(workplace.close)
        _ = parts.tasks.start(tidy(pictures, mark), name="upkeep of images")
        engine_id = records.fact("engine-id", new_id)
        yield _Joined(parts, pictures, registry_client, cables, engine_id, cgroups, execs, held, workplace)


async def _open_images(config: Config, undo: AsyncExitStack) -> tuple[Overlay, Images]:
    content = await in_thread(Content, config.data_root / "content")
    snapshots = await in_thread(Overlay, config.data_root / "overlay2")
    undo.push_async_callback(in_thread, snapshots.close)
    pictures = Images(content, snapshots, await in_thread(Names, config.data_root / "images.db"))
    undo.push_async_callback(pictures.close)
    await pictures.open()
    return snapshots, pictures
