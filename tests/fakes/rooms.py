"""The rooms below the engine, played in memory: containers that 'run' until a test says that they end."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from msgspec.structs import replace

from havre.base.errors import Conflict, HavreError
from havre.engine.events import Events
from havre.engine.host import HostFacts
from havre.engine.parts import Parts, Settings
from havre.engine.places import Folders
from havre.engine.records import Records
from havre.engine.seccomp_filters import Filters
from havre.images.model import Image, Layer, NoSuchImage
from havre.kernel.cgroups.features import Feature
from havre.networks.model import Attachment, Endpoint, Join, Network, NoSuchNetwork, Subnet, Wishes
from havre.oci.descriptor import OCI_MANIFEST, Descriptor, Platform
from havre.oci.digest import Digest
from havre.oci.image_config import ImageConfig, ProcessConfig, RootFS
from havre.oci.reference import Reference
from havre.oci.runtime_spec import Mount, Resources
from havre.runtime.bundle import AttachWishes, Bundle, ExecRequest, Exit
from havre.runtime.errors import NoSuchProcess, StartFailed
from havre.snapshots.contract import KeyTaken, NoSuchKey, View
from havre.volumes.volumes import Volumes

FACTS = HostFacts(
    cpus="0-1",
    memory_nodes="0",
    cpu_count=2,
    memory_bytes=8 << 30,
    cgroup_version=1,
    missing=frozenset({Feature.IO_WEIGHT, Feature.IO_WEIGHT_DEVICE, Feature.CPU_REALTIME}),
    kernel="6.1.0-test",
    machine="x86_64",
    architecture="amd64",
    system="Debian GNU/Linux 12 (bookworm)",
    system_version="12",
    name="testhost",
    capabilities=frozenset(
        {
            *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID"),
            *("CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL"),
            *("CAP_AUDIT_WRITE", "CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_TIME"),
        }
    ),
    ipv6=True,
)


def layer(name: str) -> Layer:
    return Layer(chain=Digest.of(name.encode()), diff=Digest.of(b"-" + name.encode()), size_bytes=100, tar_bytes=0)


def make_image(name: str, process: ProcessConfig | None = None, *, created_ns: int = 1, parent: str = "") -> Image:
    config = ImageConfig(architecture="amd64", os="linux", rootfs=RootFS(), config=process)
    return Image(
        id=str(Digest.of(name.encode())),
        config=config,
        manifest=Descriptor(media_type=OCI_MANIFEST, digest=str(Digest.of(b"m")), size=1),
        layers=(layer(name),),
        references=(Reference.parse(name).with_default_tag(),),
        parent=parent,
        created_ns=created_ns,
        last_tagged_ns=0,
    )


class FakeImages:
    """Images by their familiar names and ids."""

    def __init__(self, *images: Image) -> None:
        self._images = {image.id: image for image in images}

    def find(self, text: str, platform: Platform | None = None, /) -> Image:
        for image in self._images.values():
            names = {one.familiar for one in image.references} | {one.familiar_name for one in image.references}
            if (text == image.id or text in names) and (platform is None or image.config.platform == platform):
                return image
        raise NoSuchImage(f"No such image: {Reference.parse(text).with_default_tag().familiar}")

    def get(self, image_id: str, /) -> Image | None:
        return self._images.get(image_id)


class FakeTrees:
    """Trees in work, as names in a set."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._keys: dict[str, Digest | None] = {}

    def prepare(self, key: str, chain: Digest | None) -> tuple[Mount, ...]:
        if key in self._keys:
            raise KeyTaken(key)
        self._keys[key] = chain
        self.diff_path(key).mkdir(parents=True)
        return self.mounts(key)

    def mounts(self, key: str) -> tuple[Mount, ...]:
        if key not in self._keys:
            raise NoSuchKey(key)
        options = [
            f"lowerdir={self._root}/l/A",
            f"upperdir={self._root}/{key}/diff",
            f"workdir={self._root}/{key}/work",
        ]
        return (Mount(destination="/", type="overlay", source="overlay", options=options),)

    def target(self, key: str) -> Path:
        return self._root / key / "merged"

    def diff_path(self, key: str) -> Path:
        return self._root / key / "diff"

    def discard(self, key: str, *, files: bool = True) -> None:
        _ = files  # there are none
        self._keys.pop(key, None)

    def keys(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def usage(self, key: str) -> int:
        return 12 if key in self._keys else 0

    @contextmanager
    def mounted(self, key: str, view: View = View.WHOLE) -> Iterator[int]:  # noqa: ARG002  one tree serves all views
        """What it changed, whatever the view."""
        if key not in self._keys:
            raise NoSuchKey(key)
        handle = os.open(self.diff_path(key), os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield handle
        finally:
            os.close(handle)


class FakeShim:
    """A container that runs until `end`."""

    def __init__(self, bundle: Bundle, pid: int) -> None:
        self.id = bundle.id
        self.bundle = bundle
        self.pid = pid
        self.started_ns = 1_700_000_000_000_000_000
        self.frozen = False
        self.steps: list[tuple[str, int]] = []
        self.attachments: tuple[asyncio.Future[bool], ...] = ()
        self.signals: list[int] = []
        self.ends_on: set[int] = {9, 15}
        self.sizes: list[tuple[int, int, str]] = []
        self.requests: list[ExecRequest] = []
        self.refuse: StartFailed | None = None
        self.updates: list[Resources] = []
        self.refuse_update: HavreError | None = None
        self.clients: list[tuple[socket.socket, AttachWishes]] = []
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._execs: dict[str, asyncio.Future[int]] = {}

    def end(self, code: int = 0, *, oom: bool = False) -> None:
        if not self._exit.done():
            self._exit.set_result(Exit(code=code, oom_killed=oom, finished_ns=1_700_000_003_000_000_000))
            for future in self.attachments:
                future.set_result(False)

    def end_exec(self, exec_id: str, code: int) -> None:
        self._execs[exec_id].set_result(code)

    async def wait_exit(self) -> Exit:
        return await asyncio.shield(self._exit)

    async def attach(self, connection: socket.socket, wishes: AttachWishes) -> bool:
        self.clients.append((connection, wishes))
        await asyncio.shield(self._exit)
        return False

    async def exec(self, request: ExecRequest, attachment: tuple[socket.socket, AttachWishes] | None = None) -> int:
        self.clients += [attachment] if attachment is not None else []
        if self.refuse is not None:
            raise self.refuse
        self.requests.append(request)
        self._execs[request.id] = asyncio.get_running_loop().create_future()
        return self.pid + len(self.requests)

    async def wait_exec(self, exec_id: str) -> int:
        return await asyncio.shield(self._execs[exec_id])

    async def wait_exec_stream(self, exec_id: str) -> bool:
        await asyncio.shield(self._execs[exec_id])
        return False

    async def resize(self, height: int, width: int, exec_id: str = "") -> None:
        self.sizes.append((height, width, exec_id))

    async def signal(self, number: int, *, whole: bool = False) -> None:
        assert not whole
        if self._exit.done():
            raise NoSuchProcess(self.id)
        self.signals.append(number)
        if number in self.ends_on:
            self.end(128 + number)

    async def pause(self) -> None:
        self.frozen = True

    async def resume(self) -> None:
        if self._exit.done():
            raise NoSuchProcess(self.id)
        self.frozen = False

    async def update(self, resources: Resources) -> None:
        if self.refuse_update is not None:
            raise self.refuse_update
        self.updates.append(resources)

    async def pids(self) -> list[int]:
        return [self.pid]


class FakeRuntime:
    """Starts fake shims; `fail` makes the next start fail."""

    def __init__(self) -> None:
        self.shims: dict[str, FakeShim] = {}
        self.left: set[str] = set()
        self.exits: dict[str, Exit] = {}
        self.fail: StartFailed | None = None
        self._pid = 1000

    async def launch(self, bundle: Bundle, attachments: Sequence[tuple[socket.socket, AttachWishes]] = ()) -> FakeShim:
        if self.fail is not None:
            raise self.fail
        self._pid += 1
        shim = FakeShim(bundle, self._pid)
        shim.attachments = tuple(asyncio.get_running_loop().create_future() for _ in attachments)
        self.shims[bundle.id] = shim
        self.left.add(bundle.id)
        return shim

    async def adopt(self, identifier: str, /) -> FakeShim | None:
        return self.shims.get(identifier)

    def ended(self, identifier: str, /) -> Exit | None:
        return self.exits.get(identifier)

    async def remove(self, identifier: str, /) -> None:
        self.shims.pop(identifier, None)
        self.left.discard(identifier)


class FakeNetworks:
    """The three default networks and one made by a user; addresses are counted up."""

    def __init__(self) -> None:
        self.attached: dict[str, Attachment] = {}
        self.refuse: HavreError | None = None
        self._next = 2

    def get(self, ref: str) -> Network:
        if ref not in {"bridge", "host", "none", "mine"}:
            raise NoSuchNetwork(f"network {ref} not found")
        driver = {"host": "host", "none": "null"}.get(ref, "bridge")
        subnets = (Subnet("172.17.0.0/16", gateway="172.17.0.1"),) if driver == "bridge" else ()
        identifier = ref.encode().hex().ljust(64, "0")
        return Network(id=identifier, name=ref, driver=driver, created_ns=1, subnets=subnets)

    async def attach(self, sandbox_id: str, wishes: Wishes | None = None) -> Attachment:
        wishes = wishes or Wishes()
        if wishes.shared:
            return Attachment(sandbox_id=sandbox_id, netns_path=wishes.shared)
        endpoints = tuple(self._endpoint(join) for join in wishes.joins)
        on_host = any(each.driver == "host" for each in endpoints)
        made = Attachment(
            sandbox_id=sandbox_id,
            namespace_id="a" * 64,
            netns_path="" if on_host else f"/run/netns/{sandbox_id[:12]}",
            endpoints=endpoints,
            servers=wishes.servers,
        )
        self.attached[sandbox_id] = made
        return made

    def _endpoint(self, join: Join) -> Endpoint:
        network = self.get(join.network)
        address = ""
        if network.subnets:
            address, self._next = f"172.17.0.{self._next}", self._next + 1
        return Endpoint(
            network_id=network.id,
            network_name=network.name,
            driver=network.driver,
            endpoint_id="e" * 64,
            ip_address=address,
            ip_prefix_len=16 if address else 0,
            gateway=network.gateway,
            names=join.names,
        )

    async def detach(self, sandbox_id: str) -> None:
        self.attached.pop(sandbox_id, None)

    async def connect(self, sandbox_id: str, wishes: Wishes) -> Attachment:
        if self.refuse is not None:
            raise self.refuse
        before = self.attached[sandbox_id]
        more = tuple(self._endpoint(join) for join in wishes.joins)
        return self._put(replace(before, endpoints=(*before.endpoints, *more)))

    async def disconnect(self, sandbox_id: str, network_id: str, wishes: Wishes) -> Attachment:  # noqa: ARG002
        before = self.attached[sandbox_id]
        left = tuple(each for each in before.endpoints if each.network_id != network_id)
        return self._put(replace(before, endpoints=left))

    async def rename(self, sandbox_id: str, names: Mapping[str, tuple[str, ...]]) -> Attachment:
        before = self.attached.get(sandbox_id)
        if before is None:
            raise Conflict(f"sandbox {sandbox_id} has no network namespace of its own")
        endpoints = tuple(replace(each, names=names.get(each.network_id, each.names)) for each in before.endpoints)
        return self._put(replace(before, endpoints=endpoints))

    def _put(self, attachment: Attachment) -> Attachment:
        self.attached[attachment.sandbox_id] = attachment
        return attachment


class Rooms:
    """All of them, and the engine's parts on top."""

    def __init__(self, root: Path, *images: Image) -> None:
        self.runtime = FakeRuntime()
        self.networks = FakeNetworks()
        self.trees = FakeTrees(root / "data" / "overlay2")
        self.images = FakeImages(*images)
        self.folders = Folders(root / "data", root / "exec")
        self.folders.containers.mkdir(parents=True, exist_ok=True)
        self.folders.exec_root.mkdir(exist_ok=True)
        self.volumes = Volumes(root / "data" / "volumes")
        self.records = Records(root / "data" / "havre.db")
        self.parts = Parts(
            records=self.records,
            runtime=self.runtime,
            networks=self.networks,
            snapshots=self.trees,
            images=self.images,
            volumes=self.volumes,
            folders=self.folders,
            facts=FACTS,
            settings=Settings(resolv_conf=root / "resolv.conf"),
            events=Events(),
            filters=Filters(FACTS),
        )

    async def close(self) -> None:
        await self.parts.tasks.close()
        self.parts.clients.close()
        await self.records.close()


@asynccontextmanager
async def open_rooms(root: Path, *images: Image) -> AsyncIterator[Rooms]:
    """Rooms with open records, and with busybox when no image is given."""
    rooms = Rooms(root, *(images or (make_image("busybox", ProcessConfig(cmd=["sh"], env=["PATH=/bin"])),)))
    _ = rooms.records.open()
    await rooms.volumes.open()
    try:
        yield rooms
    finally:
        await rooms.close()
