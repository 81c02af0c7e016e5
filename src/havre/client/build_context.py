"""The context of a build as an archive: a folder without what .dockerignore leaves out, streamed while it is read."""

from __future__ import annotations

import os
import stat

from havre.client.errors import ClientError
from havre.client.tar_out import document, member

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from havre.build.dockerfile.ignore import Ignore, Verdict

DOCKERFILE, IGNORE_FILE = "Dockerfile", ".dockerignore"


class Dockerfile:
    """Which Dockerfile a build uses: its *name* in the context, its *text*, and whether it must be *added* to it."""

    __slots__ = ("added", "name", "text")

    def __init__(self, name: str, text: bytes, *, added: bool) -> None:
        self.name, self.text, self.added = name, text, added


def find_dockerfile(folder: str, wanted: str) -> Dockerfile:
    """The Dockerfile *wanted* (or the usual one) of the context *folder*. Raises ClientError."""
    root = os.path.realpath(folder)
    if not os.path.isdir(root):
        raise ClientError(f'unable to prepare context: path "{folder}" not found')
    path = wanted or os.path.join(root, DOCKERFILE)
    if not wanted and not os.path.lexists(path) and os.path.lexists(path.lower()):
        path = os.path.join(root, DOCKERFILE.lower())
    if wanted and not os.path.isabs(wanted) and not os.path.lexists(path):
        path = os.path.join(root, wanted)
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ClientError(
            f"unable to prepare context: unable to evaluate symlinks in Dockerfile path: {path}: {reason}"
        ) from None
    inside = os.path.relpath(os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)), root)
    if inside.startswith(".."):
        return Dockerfile(f".dockerfile.{os.urandom(10).hex()}", text, added=True)
    return Dockerfile(inside, text, added=False)


def pack_context(folder: str, dockerfile: Dockerfile) -> Iterator[bytes]:
    """The members of *folder*. The Dockerfile and its ignore file are sent in any case. Raises ClientError.

    A Dockerfile that is added is no part of the folder: the ignore file that is sent says so, and the engine keeps both
    out of the image.
    """
    root = os.path.realpath(folder)
    ignore, name = _read_ignore(root, dockerfile)
    if not dockerfile.added:
        yield from _members(root, ignore, frozenset({dockerfile.name, name}), "")
        return
    yield document(os.fsencode(dockerfile.name), dockerfile.text)
    rules = _file_bytes(os.path.join(root, name))
    added = (dockerfile.name,) if rules else (dockerfile.name, IGNORE_FILE)
    yield document(IGNORE_FILE.encode(), b"\n".join((rules, *map(os.fsencode, added))) + b"\n")
    yield from _members(root, ignore, frozenset(), "", frozenset({IGNORE_FILE}))


def _file_bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _read_ignore(root: str, dockerfile: Dockerfile) -> tuple[Ignore, str]:
    from havre.base.errors import HavreError
    from havre.build.dockerfile.ignore import Ignore

    for name in (f"{dockerfile.name}.dockerignore", IGNORE_FILE):
        try:
            with open(os.path.join(root, name), encoding="utf-8-sig", errors="replace") as file:
                return Ignore.read(file.read()), name
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ClientError(f"cannot read {name}: {error.strerror}") from error
        except HavreError as error:
            raise ClientError(f"{name}: {error.message}") from error
    return Ignore(), IGNORE_FILE


def _members(
    root: str, ignore: Ignore, always: frozenset[str], prefix: str, without: frozenset[str] = frozenset()
) -> Iterator[bytes]:
    """What is below *root*, as if it were below *prefix*; *always* is sent though it is ignored, *without* never."""
    linked: dict[tuple[int, int], bytes] = {}
    waiting: list[tuple[str, Verdict | None]] = [("", None)]
    while waiting:
        path, above = waiting.pop()
        full = os.path.join(root, path) if path else root
        try:
            status = os.lstat(full)
            verdict = ignore.verdict(path, above) if path else None
            ignored = verdict is not None and verdict.ignored
            named = "/".join(filter(None, (prefix, path)))
            if named and path not in without and (not ignored or path in always):
                yield from member(os.fsencode(full), os.fsencode(named), _as_root(status), linked)
            if stat.S_ISDIR(status.st_mode) and (not ignored or _may_hold_more(ignore, path, always)):
                names = sorted(os.listdir(full), reverse=True)
                waiting += [(f"{path}/{name}" if path else name, verdict) for name in names]
        except FileNotFoundError:
            if not path:
                raise
            continue  # gone since its folder was read
        except OSError as error:
            raise ClientError(f"error from sender: {full}: {(error.strerror or str(error)).lower()}") from error


def _may_hold_more(ignore: Ignore, path: str, always: frozenset[str]) -> bool:
    """Whether something below an ignored folder may be sent after all."""
    return ignore.has_exceptions or any(name.startswith(f"{path}/") for name in always)


def _as_root(status: os.stat_result) -> os.stat_result:
    """The owner of a file is nobody's business: a context belongs to root."""
    fields = list(status)
    fields[stat.ST_UID] = fields[stat.ST_GID] = 0
    return os.stat_result(fields)


def pack_folder(folder: str, name: str) -> Iterator[bytes]:
    """The members of a further *folder*, called *name*, by its own ignore file. Raises ClientError."""
    root = os.path.realpath(folder)
    if not os.path.isdir(root):
        raise ClientError(f'unable to prepare context: path "{folder}" not found')
    ignore, _ = _read_ignore(root, Dockerfile("", b"", added=False))
    return _members(root, ignore, frozenset(), name)
