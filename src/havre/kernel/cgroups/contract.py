"""What the two kinds of cgroups have in common: the words of the plans, the values that are read, the errors."""

from typing import NamedTuple, Protocol

import msgspec

from havre.base.errors import Conflict, InvalidInput, NotSupported, Unavailable
from havre.kernel.cgroups.hierarchy import Hierarchy
from havre.oci.runtime_spec import DeviceRule, Resources


class InvalidCgroupPath(InvalidInput):
    """A cgroup path that is empty, the root, or leads elsewhere."""


class CgroupInUse(Conflict):
    """The cgroup that is to be made holds processes already."""


class NoSuchController(NotSupported):
    """A limit was asked for that no cgroup controller of this host can set."""


class CgroupBusy(Unavailable):
    """Processes did not freeze, thaw or leave in time."""


class Write(NamedTuple):
    """One line for one file of a cgroup.

    *asked* is the user's word for it: where the kernel has no such file, the write is an error that says so; an
    empty word lets it pass. *instead* holds other spellings for kernels without *file*.
    """

    controller: str
    file: str
    value: str
    asked: str = ""
    instead: tuple[tuple[str, str], ...] = ()


class Present(NamedTuple):
    """The limits in force, as far as the order of new ones depends on them; -1 is unlimited."""

    memory_limit: int = -1
    cpu_quota: int = -1
    cpu_period: int = 100_000


class ContainerView(NamedTuple):
    """One entry of /sys/fs/cgroup as a container on this host shows it.

    *name* is the entry ("" for /sys/fs/cgroup itself), *source* the folder to bind without a cgroup namespace,
    *kind* and *options* the file system to mount inside one; with *link* the entry is a symbolic link to it.
    """

    name: str
    source: str = ""
    kind: str = ""
    options: str = ""
    link: str = ""


class CpuStats(msgspec.Struct, frozen=True, kw_only=True):
    """Time in nanoseconds since the cgroup was made, and how often the quota stopped it."""

    total_ns: int = 0
    user_ns: int = 0
    system_ns: int = 0
    per_cpu_ns: tuple[int, ...] = ()
    periods: int = 0
    throttled_periods: int = 0
    throttled_ns: int = 0


class MemoryStats(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes; *limit* 0 is unlimited; *detail* is memory.stat as the kernel words it."""

    usage: int = 0
    peak: int = 0
    limit: int = 0
    failures: int = 0
    swap_usage: int = 0
    detail: dict[str, int] = {}


class PidsStats(msgspec.Struct, frozen=True, kw_only=True):
    """Processes and threads; *limit* 0 is unlimited."""

    current: int = 0
    limit: int = 0


class IoEntry(NamedTuple):
    """A counter of one block device; *operation* is Read, Write, Discard, Sync, Async or Total."""

    major: int
    minor: int
    operation: str
    value: int


class BlockStats(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes moved and requests served, a block device and operation each."""

    service_bytes: tuple[IoEntry, ...] = ()
    serviced: tuple[IoEntry, ...] = ()


class CgroupStats(msgspec.Struct, frozen=True, kw_only=True):
    """What a cgroup and those below it used."""

    cpu: CpuStats = CpuStats()
    memory: MemoryStats = MemoryStats()
    pids: PidsStats = PidsStats()
    block: BlockStats = BlockStats()


class Dialect(Protocol):
    """What cgroup v1 and v2 do differently; *path* is relative to the mount points and checked."""

    version: int

    def prepare(self, path: str) -> None:
        """Make a fresh cgroup fit to be joined."""

    def plan(self, path: str, resources: Resources) -> list[Write]:
        """What to write, in the order that the limits in force ask for.

        Raises InvalidInput and NotSupported for what no kernel of this kind takes.
        """

    def restrict_devices(self, path: str, rules: list[DeviceRule]) -> None:
        """Enforce the device rules that *plan* has no file for."""

    def set_frozen(self, path: str, *, frozen: bool) -> None:
        """Ask for the state and wait until it is reached. Raises CgroupBusy, NoSuchController."""

    def is_frozen(self, path: str) -> bool:
        """Whether the cgroup is, or is being, frozen."""

    def oom_kills(self, path: str) -> int:
        """How many processes the kernel killed for want of memory."""

    def stats(self, path: str) -> CgroupStats:
        """Zeros where the kernel has no figure."""

    def views(self, path: str) -> tuple[ContainerView, ...]:
        """See Cgroups.mounts_for_container."""


class Hierarchies(NamedTuple):
    """The mounted trees; *unified* is the cgroup2 one, with v1 a mere by-stander without controllers."""

    controllers: dict[str, Hierarchy]
    every: tuple[Hierarchy, ...]
    unified: Hierarchy | None
