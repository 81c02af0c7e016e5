"""What the verbs share: the rooms below, the containers in memory, the settings. Built once, by `daemon.wiring`."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from havre.base.tasks import Tasks
from havre.engine.clients import HeldClients
from havre.engine.events import Events
from havre.engine.host import HostFacts
from havre.engine.lifecycle import State
from havre.engine.model import ExecRecord, Record
from havre.engine.places import Folders
from havre.engine.records import Records
from havre.engine.roster import Container, Roster
from havre.engine.seams import Cables, ImageNames, Shim, Starter, Trees
from havre.engine.seccomp_filters import Filters
from havre.engine.settings import LogSettings, Ulimit
from havre.runtime.defaults import CGROUP_PARENT
from havre.volumes.volumes import Volumes

_DEFAULT_LOG = LogSettings(type="json-file")
OWN_RUNTIME = "havre"
RELOADED = (
    "debug",
    "default_runtime",
    "insecure_registries",
    "labels",
    "live_restore",
    "registry_mirrors",
    "runtimes",
)


@dataclass(slots=True, kw_only=True)
class Settings:
    """The daemon's wishes, named after dockerd's flags.

    Those in RELOADED may become others while the engine runs. *seccomp* is `builtin`, `unconfined` or the JSON of a
    profile; *labels*, registries and *warnings* are shown by `info` alone. Empty modes are Docker's own choice.
    *runtimes* are the foreign ones, each with its command.
    """

    log: LogSettings = _DEFAULT_LOG
    cgroup_parent: str = CGROUP_PARENT
    cgroupns_mode: str = ""
    ipc_mode: str = ""
    shm_size_bytes: int = 64 << 20
    seccomp: str = "builtin"
    init: bool = False
    init_path: str = ""
    live_restore: bool = False
    no_new_privileges: bool = False
    ulimits: tuple[Ulimit, ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    host_gateway: str = ""
    resolv_conf: Path = Path("/etc/resolv.conf")
    labels: tuple[str, ...] = ()
    debug: bool = False
    insecure_registries: tuple[str, ...] = ()
    registry_mirrors: tuple[str, ...] = ()
    runtimes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    default_runtime: str = OWN_RUNTIME
    cdi_folders: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def reload(self, other: "Settings") -> None:
        """Take over from *other* what may change without a start."""
        for name in RELOADED:
            setattr(self, name, getattr(other, name))

    def told(self) -> dict[str, str]:
        """What may change, as the event of a reload tells it."""
        return {
            "debug": str(self.debug).lower(),
            "default-runtime": self.default_runtime,
            "insecure-registries": _shown(self.insecure_registries),
            "labels": _shown(self.labels),
            "live-restore": str(self.live_restore).lower(),
            "registry-mirrors": _shown(self.registry_mirrors),
            "runtimes": " ".join(f"{name}:{command[0]}" for name, command in sorted(self.runtimes.items())),
        }


def _shown(values: tuple[str, ...]) -> str:
    return f"[{','.join(values)}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that more than one verb needs; *past_execs* are the exec instances of the engine before this one.

    *ending* is set once the engine ends its containers: from then on none starts again.
    *beginnings* are called for every container that begins to run, or is found running.
    """

    records: Records
    runtime: Starter
    networks: Cables
    snapshots: Trees
    images: ImageNames
    volumes: Volumes
    folders: Folders
    facts: HostFacts
    settings: Settings
    events: Events
    filters: Filters
    past_execs: list[ExecRecord] = field(default_factory=list)
    roster: Roster = field(default_factory=Roster)
    clients: HeldClients = field(default_factory=HeldClients)
    tasks: Tasks = field(default_factory=Tasks)
    beginnings: list[Callable[[Container, Shim], None]] = field(default_factory=list)
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, container: Container, action: str, **more: str) -> None:
        """An event of *container*."""
        self.events.publish("container", action, container.id, {**container.record.actor_attributes(), **more})

    def change(self, container: Container, record: Record) -> None:
        """Let *record* be the truth about *container* from now on; it is written down soon."""
        self.keep(container, record)
        _ = self.records.save(record, durable=False)

    @staticmethod
    def keep(container: Container, record: Record) -> None:
        """Let *record* be the truth in memory alone."""
        container.record = record
        container.row = None

    def count(self, *states: State) -> int:
        """How many containers are in one of *states*."""
        return sum(container.record.state in states for container in self.roster)
