"""What the command line remembers of a container between two calls: a folder a container, below --root."""

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from havre.base import atomic
from havre.base.errors import Conflict, InvalidInput, NotFound
from havre.kernel.cgroups import Cgroups
from havre.kernel.libc import KernelError
from havre.kernel.process import boot_id, pidfd_open, start_time
from havre.oci import runtime_spec
from havre.oci.runtime_spec import Spec

DEFAULT_ROOT = "/run/havre-runtime"
START_SOCKET = "start.sock"
_RECORD = "state.json"
_CONFIG = "config.json"
_ID = re.compile(r"[A-Za-z0-9_+.-]{1,1024}")
_DEAD = frozenset({"Z", "X", "x"})


class NoSuchContainer(NotFound):
    """No folder of that name is below the root."""


class ContainerExists(Conflict):
    """The name is taken."""


class NotRunning(Conflict):
    """The container is not in the state that the command needs."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One container: what its birth settled, and the process by number, start time and boot."""

    id: str
    bundle: str
    rootfs: str
    pid: int
    start_time: int
    boot_id: str
    created_ns: int
    owner: str
    cgroup_path: str


class Container:
    """A container that was created and not deleted."""

    def __init__(self, folder: Path, record: Record) -> None:
        self.folder = folder
        self.record = record

    @property
    def id(self) -> str:
        """Its name."""
        return self.record.id

    @property
    def start_socket(self) -> Path:
        """Where its init waits for the word to go on; gone once it was given."""
        return self.folder / START_SOCKET

    def spec(self) -> Spec:
        """The configuration it was made with, whatever became of the bundle."""
        return runtime_spec.decode((self.folder / _CONFIG).read_bytes())

    def open_process(self) -> int | None:
        """A pidfd on its first process, None when that ended. A number that passed to a stranger is not believed."""
        record = self.record
        if record.boot_id != boot_id():
            return None
        try:
            handle = pidfd_open(record.pid)
        except KernelError as error:
            if error.errno == errno.ESRCH:
                return None
            raise
        if start_time(record.pid) == record.start_time and _state_letter(record.pid) not in _DEAD:
            return handle
        os.close(handle)
        return None

    def status(self, cgroups: Cgroups | None) -> str:
        """`created`, `running`, `paused` or `stopped`."""
        handle = self.open_process()
        if handle is None:
            return "stopped"
        os.close(handle)
        if self.start_socket.exists():
            return "created"
        if cgroups is not None and self.record.cgroup_path and cgroups.is_frozen(self.record.cgroup_path):
            return "paused"
        return "running"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands that change this container out. Raises NoSuchContainer when it was just deleted."""
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not (self.folder / _RECORD).exists():
                raise NoSuchContainer("container does not exist")
            yield
        finally:
            os.close(handle)

    def forget(self) -> None:
        """Take the folder away: the record first, so that a half is never found."""
        remove_folder(self.folder)


class Store:
    """The containers below one root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def new_folder(self, container_id: str) -> Path:
        """The folder for a new container. Raises InvalidInput, ContainerExists."""
        folder = self.root / checked_id(container_id)
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            folder.mkdir(mode=0o711)
        except FileExistsError:
            raise ContainerExists("container with given ID already exists") from None
        return folder

    def save(self, folder: Path, record: Record, spec: Spec) -> Container:
        """Write down what was made; from then on the container exists."""
        atomic.write_file(folder / _CONFIG, runtime_spec.encode(spec), durable=False)
        atomic.write_file(folder / _RECORD, msgspec.json.encode(record), durable=False)
        return Container(folder, record)

    def get(self, container_id: str) -> Container:
        """Raises NoSuchContainer."""
        if not _ID.fullmatch(container_id) or container_id in {".", ".."}:
            raise NoSuchContainer("container does not exist")
        folder = self.root / container_id
        try:
            data = (folder / _RECORD).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise NoSuchContainer("container does not exist") from None
        try:
            return Container(folder, msgspec.json.decode(data, type=Record))
        except msgspec.MsgspecError as error:
            raise InvalidInput(f"the record of container {container_id} is damaged: {error}") from error

    def every(self) -> list[Container]:
        """All containers, by name; those half made are passed over."""
        if not self.root.is_dir():
            return []
        found = []
        for folder in sorted(self.root.iterdir()):
            try:
                found.append(self.get(folder.name))
            except (NotFound, InvalidInput):
                continue
        return found


def remove_folder(folder: Path) -> None:
    """Remove a container's folder and the few files in it; absent is done."""
    (folder / _RECORD).unlink(missing_ok=True)
    if folder.is_dir():
        for entry in folder.iterdir():
            entry.unlink(missing_ok=True)
        folder.rmdir()


def checked_id(container_id: str) -> str:
    """*container_id*, when it can name a container. Raises InvalidInput."""
    if not _ID.fullmatch(container_id) or container_id in {".", ".."}:
        raise InvalidInput("invalid container ID format")
    return container_id


def _state_letter(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return "X"
    return text.rpartition(b")")[2].split()[0].decode()
