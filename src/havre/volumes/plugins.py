"""Volume drivers that are programs of their own, by Docker's plugin protocol: JSON over HTTP on a socket.

A driver is found by the files that plugins leave: `NAME.sock` or `NAME/NAME.sock` in the run folder, `NAME.spec` (an
address) or `NAME.json` in the others. Every call blocks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from havre.base.errors import InternalError, NotFound

FOLDERS: Final = (Path("/run/docker/plugins"), Path("/etc/docker/plugins"), Path("/usr/lib/docker/plugins"))
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}\Z", re.ASCII)
_OK: Final = 200


class NoSuchDriver(NotFound):
    """No volume driver has this name."""


class Known(msgspec.Struct, rename="pascal"):
    """A volume as its driver tells it."""

    name: str = ""
    mountpoint: str = ""
    status: dict[str, object] | None = None


class _Answer(msgspec.Struct, rename="pascal"):
    err: str = ""
    implements: list[str] = []
    mountpoint: str = ""
    volume: Known | None = None


@dataclass(frozen=True, slots=True)
class Driver:
    """One driver, at its address: `unix:///path` or `tcp://host:port`."""

    name: str
    address: str

    def create(self, volume: str, options: dict[str, str]) -> None:
        """Make a volume. Raises InternalError with the driver's word, as all that follow."""
        self._ask("VolumeDriver.Create", {"Name": volume, "Opts": options})

    def remove(self, volume: str) -> None:
        """Let it go."""
        self._ask("VolumeDriver.Remove", {"Name": volume})

    def mount(self, volume: str, user: str) -> Path:
        """Make its content accessible for *user*: where it is on this host."""
        where = self._ask("VolumeDriver.Mount", {"Name": volume, "ID": user}).mountpoint
        if not where.startswith("/"):
            raise InternalError(f"VolumeDriver.Mount: {self.name} gives no path: {where[:256]!r}")
        return Path(where)

    def unmount(self, volume: str, user: str) -> None:
        """*user* needs it no more."""
        self._ask("VolumeDriver.Unmount", {"Name": volume, "ID": user})

    def get(self, volume: str) -> Known:
        """What the driver knows of it."""
        return self._ask("VolumeDriver.Get", {"Name": volume}).volume or Known()

    def check(self) -> None:
        """Raises NoSuchDriver for a plugin that drives no volumes."""
        if "VolumeDriver" not in self._ask("Plugin.Activate", None).implements:
            raise _no_driver(self.name)

    def _ask(self, call: str, body: object) -> _Answer:
        from havre.volumes.plugin_call import exchange

        try:
            status, said = exchange(self.address, call, b"" if body is None else msgspec.json.encode(body))
            answer = msgspec.json.decode(said, type=_Answer) if said.strip() else _Answer()
        except OSError as failed:
            raise InternalError(
                f"{call}: the plugin {self.name} does not answer at {self.address}: {failed}"
            ) from failed
        except (msgspec.MsgspecError, UnicodeDecodeError) as broken:
            raise InternalError(f"{call}: the plugin {self.name} answers no JSON: {broken}") from broken
        if answer.err or status != _OK:
            raise InternalError(f"{call}: {answer.err or f'status {status}'}")
        return answer


class Plugins:
    """The drivers of this host, found anew each time until they have answered once."""

    def __init__(self, folders: Sequence[Path] = FOLDERS) -> None:
        self._folders = tuple(folders)
        self._found: dict[str, Driver] = {}

    def driver(self, name: str) -> Driver:
        """The driver with this name. Raises NoSuchDriver, InternalError when it does not answer."""
        if name not in self._found:
            address = self._find(name)
            driver = Driver(name, address)
            driver.check()
            self._found[name] = driver
        return self._found[name]

    def names(self) -> list[str]:
        """Those that have answered."""
        return sorted(self._found)

    def _find(self, name: str) -> str:
        if not _NAME.match(name):
            raise _no_driver(name)
        run, *others = self._folders
        for path in (run / f"{name}.sock", run / name / f"{name}.sock"):
            if path.is_socket():
                return f"unix://{path}"
        for folder in others:
            address = _written(folder / f"{name}.spec") or _address_in(folder / f"{name}.json")
            if address.partition("://")[0] in {"unix", "tcp"}:
                return address
        raise _no_driver(name)


def _written(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _address_in(path: Path) -> str:
    try:
        return str(msgspec.json.decode(path.read_bytes(), type=dict[str, object]).get("Addr", ""))
    except (OSError, msgspec.MsgspecError):
        return ""


def _no_driver(name: str) -> NoSuchDriver:
    return NoSuchDriver(f'error looking up volume plugin {name[:64]}: plugin "{name[:64]}" not found')
