"""What the builder needs of others: a process in a tree, an image by its name, a store of trees."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from havre.build.model import BuildEvent, BuildWishes, PullTold, Report, StepLimits
from havre.content.reader import Readable
from havre.images.model import Image
from havre.oci.descriptor import Platform
from havre.oci.digest import Digest
from havre.oci.runtime_spec import Mount
from havre.registry.client.keyring import Credentials
from havre.snapshots.contract import Layer, Unpacked, View
from havre.snapshots.sealing import Sealing

Output = Callable[[bytes, bool], Awaitable[None]]
"""Takes what a process said, and whether on standard error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePart:
    """Files of sealed layers at *target*; *subpath* is resolved inside them.

    With *writable*, what is written there is thrown away, and a *folder* of the host may stand in for the layers.
    """

    chain: Digest | None
    subpath: str
    target: str
    writable: bool = False
    folder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFile:
    """A secret at *target*, in memory only."""

    target: str
    data: bytes
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWishes:
    """A command in the tree in work *key*, which is also the id of its process, cgroup and sandbox.

    *network* is `default`, `none`, `host` or `container:…`. *mounts* are OCI mounts of the host's own making;
    *parts* and *secrets* are staged by whoever runs it.
    """

    key: str
    args: tuple[str, ...]
    env: tuple[str, ...]
    user: str
    working_dir: str
    network: str = ""
    hostname: str = ""
    extra_hosts: tuple[str, ...] = ()
    limits: StepLimits = field(default_factory=StepLimits)
    insecure: bool = False
    mounts: tuple[Mount, ...] = ()
    parts: tuple[ImagePart, ...] = ()
    secrets: tuple[SecretFile, ...] = ()
    security_options: tuple[str, ...] = ()


class Runner(Protocol):
    """Runs commands as containers run."""

    async def run(self, wishes: RunWishes, output: Output) -> int:
        """The exit code, after the last byte of output.

        Raises BuildFailed when it cannot be started. Whether it ended, failed or was cancelled: no process, mount or
        network of it is left, and nothing in the tree that stood there only to be mounted on.
        """


class Building(Protocol):
    """Builds images: `builder.Builder`, which brings the language of Dockerfiles with it."""

    async def build(
        self, body: AsyncIterator[bytes], wishes: BuildWishes, tell: Callable[[BuildEvent], Awaitable[None]]
    ) -> str:
        """Build what an archive and *wishes* say; the image's id."""

    async def look(self, body: AsyncIterator[bytes], wishes: BuildWishes, call: str) -> Report:
        """What is to be said about the Dockerfile; nothing is built."""


class ImageSource(Protocol):
    """Finds the images that Dockerfiles name."""

    async def find(
        self,
        name: str,
        platform: Platform | None,
        who: Mapping[str, Credentials],
        *,
        pull: bool,
        told: Callable[[PullTold], Awaitable[None]],
    ) -> Image:
        """The image, pulled when it is missing or when *pull* asks for it; *who* asks, by registry.

        Raises what pulls raise, NoSuchImage, InvalidInput for what is no name.
        """


class Trees(Protocol):
    """Where trees come from: `snapshots.Overlay`."""

    @property
    def sealing(self) -> Sealing:
        """Makes layers of trees in work."""

    def prepare(self, key: str, chain: Digest | None) -> tuple[Mount, ...]:
        """Open a tree in work."""

    def mounted(self, key: str, view: View = View.WHOLE) -> AbstractContextManager[int]:
        """A handle on its root."""

    def unpack(self, chain: Digest, parent: Digest | None, stream: Readable) -> Unpacked:
        """Make the sealed layer *chain* of an uncompressed archive, which must give exactly it."""

    def find(self, chain: Digest) -> Layer | None:
        """The sealed layer on top of *chain*."""

    def diff_path(self, key: str) -> Path:
        """What a tree in work changed."""

    def discard(self, key: str) -> None:
        """Forget a tree in work."""
