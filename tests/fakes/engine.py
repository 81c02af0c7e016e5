"""Services that remember what they were asked, for tests of the routes."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import socket
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from havre.api.routes.attach import AttachAsked
from havre.api.routes.images import ImportWishes, PullWishes, PushWishes
from havre.base.errors import Conflict, HavreError, NotFound, NotModified
from havre.build.model import BuildWishes, Report
from havre.engine.build_lines import Lines
from havre.logs.entries import LogLine
from havre.logs.follow import LogWishes
from havre.wire.containers import (
    BirthStep,
    ContainerInspect,
    ContainerSummary,
    CreateContainer,
    CreateResponse,
    PruneContainersReport,
    TopResponse,
    UpdateContainer,
    UpdateResponse,
    WaitResponse,
)
from havre.wire.events import EventMessage
from havre.wire.exec import ExecConfig, ExecInspect, ExecStart
from havre.wire.filters import Filters
from havre.wire.images import (
    AuthConfig,
    AuthResponse,
    DeleteItem,
    DistributionInspect,
    HistoryItem,
    ImageInspect,
    ImageManifestSummary,
    ImageSummary,
    PruneImagesReport,
    SearchResult,
)
from havre.wire.networks import (
    ConnectNetwork,
    CreateNetwork,
    DisconnectNetwork,
    Network,
    NetworkCreated,
    PruneNetworksReport,
)
from havre.wire.progress import ProgressLine
from havre.wire.stats import ContainerStats
from havre.wire.system import CheckLine, DiskUsage, Info, PruneBuildReport, Version
from havre.wire.volumes import CreateVolume, PruneVolumesReport, Volume, VolumeList

KNOWN = "c1"


class Asked:
    """The calls, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def note(self, *call: Any) -> None:
        self.calls.append(call)


def known(ref: str) -> str:
    if ref != KNOWN:
        raise NotFound(f"No such container: {ref}")
    return ref


class FakeContainers:
    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.rows: bytes | None = None
        self.ended = threading.Event()
        self._exit: asyncio.Future[WaitResponse] | None = None
        self.stopped = False

    async def create(self, wanted: CreateContainer, name: str | None, platform: str | None) -> CreateResponse:
        self.asked.note("create", wanted, name, platform)
        return {"Id": "f" * 64, "Warnings": []}

    async def list(
        self,
        *,
        all: bool,  # noqa: A002
        limit: int,
        size: bool,
        filters: Filters,
    ) -> list[ContainerSummary] | bytes:
        self.asked.note("list", all, limit, size, filters)
        return [{"Id": "f" * 64}] if self.rows is None else self.rows

    async def inspect(self, ref: str, size: bool, version: tuple[int, int]) -> ContainerInspect:  # noqa: ARG002, FBT001
        self.asked.note("inspect", known(ref), size)
        return {"Id": "f" * 64}

    async def rename(self, ref: str, name: str) -> None:
        self.asked.note("rename", known(ref), name)

    async def remove(self, ref: str, *, force: bool, volumes: bool, link: bool) -> None:
        self.asked.note("remove", known(ref), force, volumes, link)

    async def prune(self, filters: Filters) -> PruneContainersReport:
        self.asked.note("prune", filters)
        return {"ContainersDeleted": None, "SpaceReclaimed": 0}

    async def start(self, ref: str, detach_keys: str = "") -> None:
        self.asked.note("start", known(ref), detach_keys)

    async def start_told(self, ref: str) -> builtins.list[BirthStep]:
        self.asked.note("start_told", known(ref))
        return [{"Step": "start.network", "Start": 0, "Duration": 5}]

    async def stop(self, ref: str, timeout_s: int | None, signal: str | None) -> None:
        self.asked.note("stop", known(ref), timeout_s, signal)
        if self.stopped:
            raise NotModified("it is stopped")

    async def restart(self, ref: str, timeout_s: int | None, signal: str | None) -> None:
        self.asked.note("restart", known(ref), timeout_s, signal)

    async def kill(self, ref: str, signal: str) -> None:
        self.asked.note("kill", known(ref), signal)
        if self.stopped:
            raise Conflict(f"cannot kill container: {ref}: container is not running")

    async def update(self, ref: str, wanted: UpdateContainer) -> UpdateResponse:
        self.asked.note("update", known(ref), wanted)
        return {"Warnings": None}

    async def pause(self, ref: str) -> None:
        self.asked.note("pause", known(ref))

    async def unpause(self, ref: str) -> None:
        self.asked.note("unpause", known(ref))

    async def resize(self, ref: str, height: int, width: int) -> None:
        self.asked.note("resize", known(ref), height, width)

    async def top(self, ref: str, ps_args: str) -> TopResponse:
        self.asked.note("top", known(ref), ps_args)
        return {"Titles": ["PID"], "Processes": [["1"]]}

    def waiter(self, ref: str, condition: str) -> Awaitable[WaitResponse]:
        self.asked.note("waiter", known(ref), condition)
        self._exit = asyncio.get_running_loop().create_future()
        self._exit.add_done_callback(lambda _: self.ended.set())
        return self._exit

    def exit(self, code: int) -> None:
        assert self._exit is not None
        self._exit.set_result({"StatusCode": code})


@dataclass
class FakeStream:
    tty: bool
    batches: AsyncIterator[list[LogLine]]


class FakeLogs:
    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.tty = False
        self.lines: list[LogLine] = []
        self.forever = False
        self.closed = threading.Event()

    async def logs(self, ref: str, wishes: LogWishes) -> FakeStream:
        self.asked.note("logs", known(ref), wishes)
        return FakeStream(self.tty, self._lines())

    async def _lines(self) -> AsyncIterator[list[LogLine]]:
        try:
            yield self.lines
            if self.forever:
                await asyncio.Event().wait()
        finally:
            self.closed.set()


@dataclass
class FakeAttachable:
    tty: bool
    logs: AsyncIterator[list[LogLine]] | None
    early: list[bytes] = field(default_factory=list)

    async def connect(self, connection: socket.socket, early: bytes) -> None:
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connection, b"<" + early + b">")
        while data := await loop.sock_recv(connection, 65536):
            await loop.sock_sendall(connection, data)
        await loop.sock_sendall(connection, b"<end>")
        connection.close()


class FakeAttaching:
    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.tty = False
        self.lines: list[LogLine] = []

    async def attach(self, ref: str, asked: AttachAsked) -> FakeAttachable:
        self.asked.note("attach", known(ref), asked)
        return FakeAttachable(self.tty, self._lines() if asked.logs else None)

    async def _lines(self) -> AsyncIterator[list[LogLine]]:
        for line in self.lines:
            yield [line]


class FakeExecs:
    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.failure: HavreError | None = None

    async def create(self, ref: str, wanted: ExecConfig) -> str:
        self.asked.note("create", known(ref), wanted)
        return "e" * 64

    async def start(self, exec_id: str, wanted: ExecStart, connection: socket.socket | None, early: bytes) -> None:
        self.asked.note("start", exec_id, wanted, early)
        if self.failure is not None:
            if connection is not None:
                connection.close()
            raise self.failure
        if connection is not None:
            with contextlib.closing(connection):
                connection.sendall(b"<" + early + b">")

    async def inspect(self, exec_id: str) -> ExecInspect:
        if exec_id != "e1":
            raise NotFound(f"No such exec instance: {exec_id}")
        return {"ID": exec_id}

    async def resize(self, exec_id: str, height: int, width: int) -> None:
        self.asked.note("resize", exec_id, height, width)


class FakeStats:
    def __init__(self, asked: Asked) -> None:
        self.asked = asked

    async def once(self, ref: str, *, one_shot: bool) -> ContainerStats:
        self.asked.note("once", known(ref), one_shot)
        return {"id": ref}

    async def watch(self, ref: str) -> AsyncIterator[ContainerStats]:
        self.asked.note("watch", known(ref))
        for pids in (1, 2):
            yield {"id": ref, "pids_stats": {"current": pids}}


class FakeEvents:
    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.closed = threading.Event()
        self.listening = threading.Event()
        self.forever = False

    async def subscribe(
        self, filters: Filters, since_ns: int | None = None, until_ns: int | None = None
    ) -> AsyncIterator[EventMessage]:
        self.asked.note("subscribe", filters, since_ns, until_ns)
        try:
            self.listening.set()
            yield {"Type": "container", "Action": "start"}
            if self.forever:
                await asyncio.Event().wait()
        finally:
            self.closed.set()


class FakeSystem:
    kinds: frozenset[str] = frozenset()

    async def version(self) -> Version:
        return {
            "Platform": {"Name": "Havre"},
            "Version": "28.2.2",
            "ApiVersion": "1.50",
            "MinAPIVersion": "1.24",
            "GitCommit": "",
            "GoVersion": "none",
            "Os": "linux",
            "Arch": "amd64",
            "KernelVersion": "6.18",
            "Components": [],
        }

    async def info(self) -> Info:
        return {"ID": "x", "Containers": 0, "ServerVersion": "28.2.2", "Name": "host"}

    async def check(self, *, repair: bool) -> AsyncIterator[CheckLine]:
        yield {"Kind": "blob", "Name": "sha256:1", "Problem": "damaged", "Repaired": repair}

    async def df(self, kinds: frozenset[str] = frozenset()) -> DiskUsage:
        self.kinds = kinds
        return {"LayersSize": 0, "Images": [], "Containers": [], "Volumes": [], "BuildCache": []}


class FakeNetworks:
    def __init__(self) -> None:
        self.asked = Asked()

    async def list(self, filters: Filters) -> list[Network]:
        return [{"Name": "bridge", "Id": "b" * 64}] if not filters else []

    async def inspect(self, ref: str) -> Network:
        if ref != "bridge":
            raise NotFound(f"network {ref} not found")
        return {"Name": "bridge", "Id": "b" * 64}

    async def create(self, wanted: CreateNetwork) -> NetworkCreated:
        self.asked.note("create", wanted)
        return {"Id": "c" * 64, "Warning": ""}

    async def remove(self, ref: str) -> None:
        self.asked.note("remove", ref)

    async def prune(self, filters: Filters) -> PruneNetworksReport:
        self.asked.note("prune", filters)
        return {"NetworksDeleted": None}

    async def connect(self, ref: str, wanted: ConnectNetwork) -> None:
        self.asked.note("connect", ref, wanted)

    async def disconnect(self, ref: str, wanted: DisconnectNetwork) -> None:
        self.asked.note("disconnect", ref, wanted)


class FakeImages:
    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.failure: HavreError | None = None
        self.fail_after = 0

    async def inspect(self, ref: str, platform: str) -> ImageInspect:
        self.asked.note("inspect", ref, platform)
        return {"Id": "sha256:1"}

    async def manifests(self, image_id: str) -> list[ImageManifestSummary]:
        self.asked.note("manifests", image_id)
        return [{"ID": "sha256:2", "Available": True}]

    async def history(self, ref: str, platform: str) -> list[HistoryItem]:
        self.asked.note("history", ref, platform)
        return [{"Id": "sha256:1"}]

    async def tag(self, ref: str, name: str) -> None:
        self.asked.note("tag", ref, name)

    async def remove(self, ref: str, *, force: bool, prune: bool, platform: str) -> list[DeleteItem]:
        self.asked.note("remove", ref, force, prune, platform)
        return [{"Untagged": ref}]

    async def prune(self, filters: Filters) -> PruneImagesReport:
        self.asked.note("prune", filters)
        return {"ImagesDeleted": None, "SpaceReclaimed": 0}

    async def load(self, archive: AsyncIterator[bytes], *, quiet: bool, platform: str) -> AsyncIterator[ProgressLine]:
        size = 0
        async for piece in archive:
            size += len(piece)
        self.asked.note("load", size, quiet, *([platform] if platform else []))
        if self.failure is not None and not self.fail_after:
            raise self.failure
        yield {"stream": "Loaded image: x\n"}
        if self.failure is not None:
            raise self.failure

    async def save(self, refs: list[str], platform: str) -> AsyncIterator[bytes]:
        self.asked.note("save", refs, *([platform] if platform else []))
        if "nosuch" in refs:
            raise NotFound("No such image: nosuch")

        async def pieces() -> AsyncIterator[bytes]:
            yield b"tar"
            yield b"ball"

        return pieces()

    async def import_tree(self, archive: AsyncIterator[bytes], wishes: ImportWishes) -> str:
        self.asked.note("import", b"".join([piece async for piece in archive]), wishes)
        return "sha256:2"

    async def pull(self, asked: PullWishes) -> AsyncIterator[ProgressLine]:
        self.asked.note("pull", asked)
        if asked.reference == "no/such":
            raise NotFound("manifest for no/such:latest not found")
        yield {"status": "Pulling from x", "id": "latest"}

    async def push(self, asked: PushWishes) -> AsyncIterator[ProgressLine]:
        self.asked.note("push", asked)
        yield {"status": "The push refers to repository [x]"}
        if asked.reference == "x:nosuch":
            raise NotFound("tag does not exist: x:nosuch")

    async def list(self, filters: Filters, *, every: bool, shared_size: bool) -> list[ImageSummary]:
        self.asked.note("list", filters, every, shared_size)
        return [{"Id": "sha256:1"}]


class FakeRegistries:
    def __init__(self, asked: Asked) -> None:
        self.asked = asked

    async def login(self, auth: AuthConfig) -> AuthResponse:
        self.asked.note("login", auth)
        return {"Status": "Login Succeeded", "IdentityToken": ""}

    async def search(self, term: str, limit: int | None, filters: Filters, auth: AuthConfig) -> list[SearchResult]:
        self.asked.note("search", term, limit, filters, auth)
        return []

    async def distribution(self, name: str, auth: AuthConfig) -> DistributionInspect:
        self.asked.note("distribution", name, auth)
        return {"Platforms": []}


class FakeBuilds:
    """Builds, their cache and what is lent to them."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.failure: HavreError | None = None

    async def build(
        self, body: AsyncIterator[bytes], wishes: BuildWishes, lines: Lines | None = None, session: str = ""
    ) -> AsyncIterator[ProgressLine]:
        received = b"".join([piece async for piece in body])
        self.asked.note("build", received, wishes, type(lines).__name__, session)
        yield {"stream": "Step 1/1 : FROM x"}
        if self.failure is not None:
            raise self.failure

    async def look(self, body: AsyncIterator[bytes], wishes: BuildWishes, call: str) -> Report:
        self.asked.note("look", b"".join([piece async for piece in body]), wishes, call)
        return Report("text", 2)

    async def export(self, keys: Sequence[str], tag: str) -> AsyncGenerator[bytes, None]:
        self.asked.note("export", keys, tag)
        yield b"a layout"

    async def prune(self, filters: Filters, *, every: bool, keep_bytes: int) -> PruneBuildReport:
        self.asked.note("prune", filters, every, keep_bytes)
        return {"CachesDeleted": ["a"], "SpaceReclaimed": 1}

    async def create(self, secrets: Mapping[str, bytes], agents: list[str]) -> str:
        self.asked.note("create session", secrets, agents)
        return "session"

    async def offer(self, identifier: str, agent: str, connection: socket.socket) -> None:
        self.asked.note("offer", identifier, agent)
        connection.close()

    async def tree(self, ref: str) -> AsyncIterator[bytes]:
        self.asked.note("tree", ref)
        return _bytes(b"tar")


async def _bytes(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


class FakeVolumes:
    async def list(self, filters: Filters) -> VolumeList:
        return {"Volumes": [] if filters else [{"Name": "one"}], "Warnings": None}

    async def inspect(self, name: str) -> Volume:
        if name != "one":
            raise NotFound(f"get {name}: no such volume")
        return {"Name": name}

    async def create(self, wanted: CreateVolume) -> Volume:
        return {"Name": wanted.get("Name") or "made"}

    async def remove(self, name: str, *, force: bool) -> None:
        if not force:
            await self.inspect(name)

    async def prune(self, filters: Filters) -> PruneVolumesReport:
        return {"VolumesDeleted": sorted(filters), "SpaceReclaimed": 0}
