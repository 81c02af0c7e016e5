"""The files of the Container Device Interface: what vendors say that a container needs to use a device of theirs.

https://github.com/cncf-tags/container-device-interface, SPEC.md. Files may be JSON or YAML; a folder that comes later
in the list counts more, and two files of one folder that describe the same device cancel each other out.
"""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

_SIZE_LIMIT: Final = 4 << 20
_log = logging.getLogger(__name__)


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class CdiNode(_Part, frozen=True):
    """A device node; what is not said is taken from the node of the host."""

    path: str
    host_path: str = ""
    type: str = ""
    major: int | None = None
    minor: int | None = None
    file_mode: int | None = None
    permissions: str = "rwm"
    uid: int | None = None
    gid: int | None = None


class CdiMount(_Part, frozen=True):
    """A file or folder of the host."""

    host_path: str
    container_path: str
    options: list[str] | None = None
    type: str = ""


class CdiHook(_Part, frozen=True):
    """A program that runs as the container is made."""

    hook_name: str
    path: str
    args: list[str] | None = None
    env: list[str] | None = None
    timeout: int | None = None


class Edits(_Part, frozen=True):
    """What is added to a container."""

    env: list[str] | None = None
    device_nodes: list[CdiNode] | None = None
    mounts: list[CdiMount] | None = None
    hooks: list[CdiHook] | None = None
    additional_gids: list[int] | None = None


class CdiDevice(_Part, frozen=True):
    """One device of a file."""

    name: str
    container_edits: Edits = Edits()


class CdiFile(_Part, frozen=True):
    """A file: devices of one *kind*, and what all of them need."""

    cdi_version: str
    kind: str
    devices: list[CdiDevice]
    container_edits: Edits = Edits()


class Found(NamedTuple):
    """A device, and the file that tells of it."""

    file: CdiFile
    device: CdiDevice


def read_devices(folders: Iterable[str]) -> dict[str, Found]:
    """Every device of *folders* by its qualified name. A file that cannot be read is told of in the log. Blocks."""
    found: dict[str, Found] = {}
    for folder in folders:
        found.update(_read_folder(Path(folder)))
    return found


def _read_folder(folder: Path) -> dict[str, Found]:
    found: dict[str, Found] = {}
    doubled: set[str] = set()
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return found
    for path in paths:
        file = _read(path) if path.suffix in {".json", ".yaml", ".yml"} else None
        for device in file.devices if file is not None else ():
            name = f"{file.kind}={device.name}" if file is not None else ""
            if name in found:
                doubled.add(name)
            elif file is not None:
                found[name] = Found(file, device)
    for name in doubled:
        _log.warning("two files of %s describe the device %s: it cannot be used", folder, name)
        del found[name]
    return found


def _read(path: Path) -> CdiFile | None:
    try:
        with path.open("rb") as handle:
            text = handle.read(_SIZE_LIMIT + 1)
        return _decoded(text, path.suffix)
    except (OSError, ValueError, RecursionError) as wrong:
        _log.warning("the CDI file %s cannot be used: %s", path, wrong)
        return None


def _decoded(text: bytes, suffix: str) -> CdiFile:
    """Raises ValueError, which msgspec's errors are too."""
    if len(text) > _SIZE_LIMIT:
        raise ValueError(f"it is larger than {_SIZE_LIMIT} bytes")
    if suffix == ".json":
        return msgspec.json.decode(text, type=CdiFile)
    import yaml

    try:
        return msgspec.convert(yaml.load(text, Loader=yaml.CSafeLoader), type=CdiFile)
    except yaml.YAMLError as wrong:
        raise ValueError(str(wrong)) from wrong
