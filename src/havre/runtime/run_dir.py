"""The run folder of a container: the shim's socket, who it is, how it ended."""

import contextlib
import os
from typing import TypeVar

import msgspec

from havre.base.atomic import write_file
from havre.kernel.process import boot_id, start_time
from havre.kernel.removing import remove_tree
from havre.runtime.bundle import Exit

SOCKET = "shim.sock"
_T = TypeVar("_T")
_STATE = "state.json"
_EXIT = "exit.json"
_CONFIG = "config.json"
_FOREIGN = "oci"


class Birthmark(msgspec.Struct, frozen=True):
    """The container's first process: a number is believed only with its start time and boot (rule 15)."""

    pid: int
    start_ticks: int
    boot_id: str
    started_ns: int
    cgroup: str


class RunDir:
    """What may vanish at a reboot. Files appear whole; reading an absent one gives None."""

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    def socket(self) -> str:
        """Where the shim listens."""
        return f"{self.path}/{SOCKET}"

    def make(self) -> None:
        """Make the folder, or take it over when what an earlier container left there is an end."""
        try:
            os.mkdir(self.path, 0o700)  # noqa: PTH102  no pathlib in the launcher
        except FileNotFoundError:
            os.makedirs(self.path, 0o700, exist_ok=True)  # noqa: PTH103  the same
        except FileExistsError:
            self._clear((_EXIT, _STATE, SOCKET))

    @property
    def foreign(self) -> str:
        """The folder of a foreign runtime: the bundle it is given, and its own state."""
        return f"{self.path}/{_FOREIGN}"

    def write_state(self, pid: int, started_ns: int, cgroup: str) -> None:
        """Say who the container is."""
        mark = Birthmark(pid, start_time(pid) or 0, boot_id(), started_ns, cgroup)
        write_file(f"{self.path}/{_STATE}", msgspec.json.encode(mark), durable=False)

    def write_exit(self, exit_: Exit) -> None:
        """Say how it ended; a folder that was taken away meanwhile is no error."""
        with contextlib.suppress(FileNotFoundError):
            write_file(f"{self.path}/{_EXIT}", msgspec.json.encode(exit_), durable=False)

    def state(self) -> Birthmark | None:
        """Who the container is or was."""
        return self._read(_STATE, Birthmark)

    def exit(self) -> Exit | None:
        """How it ended."""
        return self._read(_EXIT, Exit)

    def remove(self) -> None:
        """Take the folder away with what we put there; absent is done."""
        self._clear((SOCKET, _STATE, _EXIT, _CONFIG))
        try:
            os.rmdir(self.path)  # noqa: PTH106  the same
        except FileNotFoundError:
            return
        except OSError:
            self._remove_foreign()
            os.rmdir(self.path)  # noqa: PTH106  the same

    def _clear(self, names: "tuple[str, ...]") -> None:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self.path}/{name}")  # noqa: PTH108  the same

    def _remove_foreign(self) -> None:
        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            remove_tree(handle, _FOREIGN)
        finally:
            os.close(handle)

    def _read(self, name: str, kind: "type[_T]") -> "_T | None":
        try:
            with open(f"{self.path}/{name}", "rb") as file:  # noqa: PTH123  the same
                return msgspec.json.decode(file.read(), type=kind)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None
