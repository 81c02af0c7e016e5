"""Reads compose files: found by name, opened, parsed, and their variables replaced."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from msgspec import Struct, field

from havre.compose.document.interpolate import interpolate
from havre.compose.document.nodes import Table
from havre.compose.document.yaml_text import MAX_BYTES, read_yaml
from havre.compose.errors import ComposeError, InvalidFile, NoFile

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = (
    "compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml",
)  # fmt: skip
STDIN = "-"


class Scope(Struct, frozen=True):
    """What variables mean in a set of files; *interpolated* off keeps them as they are."""

    values: Mapping[str, str]
    missing: set[str] = field(default_factory=set)
    interpolated: bool = True


def find_files(folder: str) -> list[str]:
    """The compose file of *folder* or the nearest folder above, and its override. Raises NoFile."""
    at = os.path.abspath(folder)
    while True:
        present = [name for name in NAMES if os.path.isfile(os.path.join(at, name))]
        if present:
            override = [name for name in _OVERRIDES if os.path.isfile(os.path.join(at, name))]
            return [os.path.join(at, name) for name in (present[0], *override[:1])]
        above = os.path.dirname(at)
        if above == at:
            raise NoFile("no configuration file provided: not found")
        at = above


def read_file(path: str, scope: Scope) -> Table:
    """One file (`-` is standard input) as a tree with its variables replaced. Raises ComposeError."""
    if path.startswith(("oci://", "git@", "git://", "http://", "https://")):
        raise ComposeError(f"{path}: remote compose files are not supported: fetch it and give its path")
    tree = read_yaml(read_text(path), path)
    return interpolate(tree, scope.values, scope.missing) if scope.interpolated else tree


def read_text(path: str) -> str:
    """The text of *path*, at most a byte more than a compose file may have. Raises ComposeError."""
    try:
        if path == STDIN:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            if not os.path.isfile(path) and os.path.exists(path) and not _is_pipe(path):
                raise InvalidFile(f"{path}: is no file")
            with open(path, "rb") as file:
                data = file.read(MAX_BYTES + 1)
        return data.decode()
    except FileNotFoundError as error:
        raise NoFile(f"open {path}: no such file or directory") from error
    except OSError as error:
        raise ComposeError(f"open {path}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise InvalidFile(f"{path}: is no UTF-8 text: {error.reason} at byte {error.start}") from error


def _is_pipe(path: str) -> bool:
    import stat

    mode = os.stat(path).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
