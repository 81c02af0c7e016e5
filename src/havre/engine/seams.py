"""What the verbs ask of the rooms below, so that tests can play those rooms without root."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from havre.images.model import Image
from havre.networks.model import Attachment, Network, Wishes
from havre.oci.descriptor import Platform
from havre.oci.digest import Digest
from havre.oci.runtime_spec import Mount, Resources
from havre.runtime.bundle import AttachWishes, Bundle, ExecRequest, Exit
from havre.snapshots.contract import View


class Life(Protocol):
    """The first process of a container, and how it goes."""

    @property
    def pid(self) -> int:
        """Its number on the host."""

    @property
    def started_ns(self) -> int:
        """When the user's program began."""

    @property
    def frozen(self) -> bool:
        """Whether the container's processes are frozen."""

    async def wait_exit(self) -> Exit:
        """How it ended; for any number of waiters."""

    async def signal(self, number: int, *, whole: bool = False) -> None:
        """Send it a signal. Raises NoSuchProcess."""

    async def pause(self) -> None:
        """Freeze every process of the container."""

    async def resume(self) -> None:
        """Let them go on."""

    async def pids(self) -> list[int]:
        """Every process of the container, as the host numbers them."""


class Doors(Protocol):
    """The streams and the terminal of a container."""

    @property
    def attachments(self) -> Sequence[asyncio.Future[bool]]:
        """The ends of the streams given at the launch, in their order; each tells whether by the detach keys."""

    async def attach(self, connection: socket.socket, wishes: AttachWishes) -> bool:
        """Hand a socket over; returns when its stream has ended, true when its client typed the detach keys."""

    async def resize(self, height: int, width: int, exec_id: str = "") -> None:
        """Change the size of a terminal."""


class Guests(Protocol):
    """Further processes in a container."""

    async def exec(self, request: ExecRequest, attachment: tuple[socket.socket, AttachWishes] | None = None) -> int:
        """Start one; its number on the host. Raises StartFailed."""

    async def wait_exec(self, exec_id: str) -> int:
        """The exit code of an exec session. Raises NoSuchProcess for an unknown one."""

    async def wait_exec_stream(self, exec_id: str) -> bool:
        """The end of the stream that came with `exec`; whether by the detach keys."""


class Past(Protocol):
    """How the container came to be."""

    @property
    def steps(self) -> list[tuple[str, int]]:
        """The steps of its birth with when each began (monotonic), where the bundle asked for them."""


class Bounds(Protocol):
    """What a container may use."""

    async def update(self, resources: Resources) -> None:
        """Change the limits that *resources* names."""


class Shim(Life, Past, Bounds, Doors, Guests, Protocol):
    """A container that runs, or has run, and the process that holds it."""


class Starter(Protocol):
    """Where shims come from: `runtime.Runtime`."""

    async def launch(self, bundle: Bundle, attachments: Sequence[tuple[socket.socket, AttachWishes]] = ()) -> Shim:
        """Returns when the user's program runs. Raises StartFailed; nothing is left then."""

    async def adopt(self, identifier: str, /) -> Shim | None:
        """The shim of a container that lives since before this process; None when it is gone."""

    def ended(self, identifier: str, /) -> Exit | None:
        """How a container ended whose shim is gone."""

    async def remove(self, identifier: str, /) -> None:
        """Run folder, cgroup and what else may be left; idempotent."""


class Cables(Protocol):
    """Where namespaces and addresses come from: `networks.Networks`."""

    def get(self, ref: str) -> Network:
        """A network. Raises NoSuchNetwork."""

    async def attach(self, sandbox_id: str, wishes: Wishes | None = None) -> Attachment:
        """Connect a sandbox; nothing is left when it raises."""

    async def detach(self, sandbox_id: str) -> None:
        """Take a sandbox off its networks; idempotent."""

    async def connect(self, sandbox_id: str, wishes: Wishes) -> Attachment:
        """Connect an attached sandbox to one network more; nothing is left when it raises."""

    async def disconnect(self, sandbox_id: str, network_id: str, wishes: Wishes) -> Attachment:
        """Take an attached sandbox off one network."""

    async def rename(self, sandbox_id: str, names: Mapping[str, tuple[str, ...]]) -> Attachment:
        """Let an attached sandbox be found by other names, by the id of the network."""


class Trees(Protocol):
    """Where writable roots come from: `snapshots.Overlay`. Every call blocks a little."""

    def prepare(self, key: str, chain: Digest | None) -> tuple[Mount, ...]:
        """Open a tree in work."""

    def mounts(self, key: str) -> tuple[Mount, ...]:
        """How to mount it."""

    def target(self, key: str) -> Path:
        """Where it is to be mounted."""

    def diff_path(self, key: str) -> Path:
        """What it changed."""

    def discard(self, key: str, *, files: bool = True) -> None:
        """Forget it; without *files* these wait for the next call, and this one does not block."""

    def keys(self) -> tuple[str, ...]:
        """All trees in work."""

    def mounted(self, key: str, view: View = View.WHOLE) -> AbstractContextManager[int]:
        """A handle on the root of it as *view* says."""

    def usage(self, key: str) -> int:
        """Bytes that it holds by itself."""


class ImageNames(Protocol):
    """Where images are found: `images.Images`."""

    def find(self, text: str, platform: Platform | None = None, /) -> Image:
        """The image that a name, a digest or an id means; with *platform* one that serves it.

        Raises NoSuchImage, InvalidInput.
        """

    def get(self, image_id: str, /) -> Image | None:
        """The image with exactly this id."""
