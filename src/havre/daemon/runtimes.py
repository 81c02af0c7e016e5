"""The OCI runtimes of `--add-runtime` and of the key `runtimes`: names, and the command that each means."""

from collections.abc import Mapping
from typing import Final

from havre.base.errors import InvalidInput, NotSupported
from havre.daemon.config_file import FileValue
from havre.daemon.values import parse_pair

OWN: Final = "havre"
ALIASES: Final = frozenset(("runc", "io.containerd.runc.v2"))
"""Names under which Docker's users know a runtime like ours; one of them may be given a program of its own."""

_KEYS: Final = frozenset(("path", "runtimeArgs", "runtimeType", "options"))
_RUNC_TYPE: Final = frozenset(("", "io.containerd.runc.v2", "io.containerd.runtime.v1.linux"))


def parse_runtimes(said: object, filed: FileValue) -> dict[str, tuple[str, ...]]:
    """The foreign runtimes by name, each as the words of its command. Raises InvalidInput, NotSupported."""
    found: dict[str, tuple[str, ...]] = {}
    for text in said if isinstance(said, list) else ():
        name, path = parse_pair(str(text), "runtime argument")
        _add(found, name.strip().lower(), (path.strip(),))
    for name, value in (filed if isinstance(filed, dict) else {}).items():
        if not isinstance(value, dict):
            raise InvalidInput(f"invalid runtime {name[:64]!r}: it is no object")
        _add(found, name, _command(name, value))
    return found


def parse_default_runtime(text: str, runtimes: Mapping[str, object]) -> str:
    """The name of the runtime for containers that ask for none. Raises InvalidInput."""
    if text in runtimes:
        return text
    if text not in {"", OWN, *ALIASES}:
        raise InvalidInput(f"specified default runtime '{text[:64]}' does not exist")
    return OWN


def _command(name: str, value: Mapping[str, FileValue]) -> tuple[str, ...]:
    unknown = sorted(value.keys() - _KEYS)
    if unknown:
        raise InvalidInput(f"invalid runtime {name[:64]!r}: unknown key {unknown[0][:64]!r}")
    kind, options = value.get("runtimeType") or "", value.get("options") or {}
    if kind not in _RUNC_TYPE:
        raise NotSupported(
            f"runtime {name[:64]!r}: shims of containerd ({kind}) are not available: havre runs OCI runtimes by path"
        )
    path = value.get("path") or (options.get("BinaryName") if isinstance(options, dict) else None)
    arguments = value.get("runtimeArgs") or []
    if not isinstance(path, str) or not isinstance(arguments, list) or not all(isinstance(a, str) for a in arguments):
        raise InvalidInput(f"invalid runtime {name[:64]!r}: a path and a list of arguments are wanted")
    return (path, *(str(argument) for argument in arguments))


def _add(found: dict[str, tuple[str, ...]], name: str, command: tuple[str, ...]) -> None:
    if name == OWN:
        raise InvalidInput(f"runtime name '{OWN}' is reserved")
    if not name or not command[0] or "\0" in "".join(command):
        raise InvalidInput(f"invalid runtime: {name[:64]!r} has no path")
    if name in found:
        raise InvalidInput(f"runtime '{name[:64]}' was already registered")
    found[name] = command
