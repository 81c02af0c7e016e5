"""Docker's rules of `cp`: what a trailing slash, `/.` and a link mean, and what the copy is called."""

from __future__ import annotations

import os
import posixpath
import stat

from havre.client.errors import ClientError

GO_DIR, GO_LINK = 1 << 31, 1 << 27
GO_IRREGULAR = 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21
_LINKS = 10


class End:
    """One end of a copy: *rename* is what its archive should call it when a link was followed to *path*."""

    __slots__ = ("exists", "is_dir", "path", "rename")

    def __init__(self, path: str, *, exists: bool = False, is_dir: bool = False, rename: str = "") -> None:
        self.path, self.exists, self.is_dir, self.rename = path, exists, is_dir, rename


def split_argument(text: str) -> tuple[str, str]:
    """(container, path) of `NAME:PATH`; ("", path) of a local one."""
    container, colon, path = text.partition(":")
    if text.startswith("/") or not colon or container.startswith("."):
        return "", text
    return container, path


def kept_ending(clean: str, given: str) -> str:
    """*clean* with the `/` or `/.` that *given* ends in."""
    if _is_dot(given) and not _is_dot(clean):
        clean = clean.rstrip("/") + "/."
    if given.endswith("/") and not clean.endswith("/"):
        clean += "/"
    return clean


def local_path(given: str) -> str:
    """A local path from the root on."""
    return kept_ending(os.path.abspath(given), given)


def split_entry(path: str) -> tuple[str, str]:
    """(folder, name) of a path; the name is `.` where it says so."""
    clean = posixpath.normpath(path)
    if _is_dot(path):
        return clean, "."
    folder, name = posixpath.split(clean)
    return folder or ".", name or "/"


def rebase_name(given: str, resolved: str) -> tuple[str, str]:
    """(*resolved* with the ending of *given*, the name to give back when a link changed it)."""
    resolved = kept_ending(resolved, given)
    return resolved, base(given) if base(given) != base(resolved) else ""


def base(path: str) -> str:
    """The last part; `/` of the root."""
    return posixpath.basename(path.rstrip("/")) or "/"


def local_source(given: str, *, follow: bool) -> End:
    """What is to be copied from here. Raises ClientError."""
    path, rename = local_path(given), ""
    try:
        if follow:
            path, rename = rebase_name(path, os.path.realpath(path, strict=True))
        else:
            folder, name = path.rpartition("/")[::2]
            resolved = os.path.realpath(folder or "/", strict=True).rstrip("/") + "/" + name
            rename = base(path) if path.endswith("/") and base(path) != base(resolved) else ""
            path = resolved
        status = os.lstat(path)
    except NotADirectoryError:
        raise ClientError("not a directory") from None
    except OSError as error:
        raise ClientError(f"lstat {local_path(given)}: {(error.strerror or str(error)).lower()}") from error
    return End(path, exists=True, is_dir=stat.S_ISDIR(status.st_mode), rename=rename)


def local_target(given: str) -> End:
    """Where a copy is to go here, links followed. Raises ClientError."""
    path = local_path(given)
    folder = os.path.dirname(os.path.normpath(path))
    if not os.path.isdir(folder):
        raise ClientError(f'invalid output path: directory "{folder}" does not exist')
    for _ in range(_LINKS):
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return End(path)
        except NotADirectoryError:
            raise ClientError(f"{path}: not a directory") from None
        if not stat.S_ISLNK(status.st_mode):
            if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
                raise ClientError(f'invalid output path: "{path}" must be a directory or a regular file')
            return End(path, exists=True, is_dir=stat.S_ISDIR(status.st_mode))
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    raise ClientError(f"{given}: too many levels of symbolic links")


def plan(source: End, target: End) -> tuple[str, str, str]:
    """(folder to extract into, name that the archive uses, name that it gets). Raises ClientError."""
    folder, name = split_entry(target.path)
    own = source.rename or split_entry(source.path)[1]
    if target.exists and target.is_dir:
        return target.path, own, own
    if target.exists and source.is_dir:
        raise ClientError("cannot copy directory")
    if not (target.exists or source.is_dir) and (target.path.endswith("/") or _is_dot(target.path)):
        raise ClientError("no such directory")
    return folder, own, name


def _is_dot(path: str) -> bool:
    return path == "." or path.endswith("/.")
