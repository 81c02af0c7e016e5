"""`havre cp`: files between a container and this machine."""

from __future__ import annotations

from havre.cli import copy_rules as rules
from havre.cli.command import Command
from havre.cli.flags import Given, switch
from havre.cli.screen import Screen
from havre.client.client import Client
from havre.client.errors import ApiError, ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_GLOB = frozenset("*?[")


def run(given: Given, client: Client, screen: Screen) -> int:
    """Copy each source to the last argument."""
    *sources, target = given.args
    if not all(sources):
        raise ClientError("source can not be empty")
    if not target:
        raise ClientError("destination can not be empty")
    container, path = rules.split_argument(target)
    for source in sources:
        from_container, from_path = rules.split_argument(source)
        if container and from_container:
            raise ClientError("copying between containers is not supported")
        if not (container or from_container):
            raise ClientError("must specify at least one container source")
        if len(sources) > 1 and "-" in (source, target):
            raise ClientError("a stream cannot be one of several")
        copy = _Copy(given, client, screen, several=len(sources) > 1)
        if container:
            copy.into(container, path, from_path)
        else:
            copy.out_of(from_container, from_path, target)
    return 0


class _Copy:
    def __init__(self, given: Given, client: Client, screen: Screen, *, several: bool) -> None:
        self._given, self._client, self._screen, self._several = given, client, screen, several
        self._size = 0

    def out_of(self, container: str, path: str, target: str) -> None:
        """From the container to here, or to standard output."""
        end, rename = (None, "") if target == "-" else (rules.local_target(target), "")
        is_glob = False
        if self._given.switch("follow-link") or _GLOB & set(path):
            status = self._stat(container, path)
            is_glob = status is None and bool(_GLOB & set(path))
            if status is not None and status[1]:
                path, rename = rules.rebase_name(path, status[1])
        if end is not None and (self._several or is_glob) and not end.is_dir:
            raise ClientError(f'destination "{target}" must be a directory')
        response = self._client.send(
            "GET", f"/containers/{container}/archive", {"path": path, "glob": True if is_glob else None}
        )
        pieces = self._counted(response.chunks())
        if end is None:
            for piece in pieces:
                self._screen.write(piece)
            return
        from havre.cli.tar_in import Stream, unpack

        is_dir = bool(_mode_of(response.headers) & rules.GO_DIR)
        source = rules.End(path, exists=True, is_dir=is_dir, rename=rename)
        folder, _, new = rules.plan(source, end)
        old = "" if is_glob else rules.split_entry(path)[1]
        unpack(Stream(pieces), folder, old, "" if is_glob else new)
        self._told(rules.local_path(target))

    def into(self, container: str, path: str, source: str) -> None:
        """From here, or from standard input, to the container."""
        end = rules.End(path)
        status = self._stat(container, path)
        if status is not None and status[1]:
            end.path = status[1]
            status = self._stat(container, end.path)
        if status is not None:
            end.exists, end.is_dir = True, bool(status[0] & rules.GO_DIR)
            if status[0] & rules.GO_IRREGULAR:
                raise ClientError(f'destination "{container}:{path}" must be a directory or a regular file')
        if (source == "-" or self._several) and not end.is_dir:
            raise ClientError(f'destination "{container}:{path}" must be a directory')
        if source == "-":
            from havre.cli.files import pieces_of

            self._put(container, end.path, pieces_of("-"))
            return
        from havre.client.tar_out import pack

        found = rules.local_source(source, follow=self._given.switch("follow-link"))
        folder, _, name = rules.plan(found, end)
        self._put(container, folder, self._counted(pack(found.path, name)))
        self._told(f"{container}:{path}")

    def _put(self, container: str, folder: str, pieces: Iterable[bytes]) -> None:
        query = {"path": folder, "noOverwriteDirNonDir": "true"}
        if self._given.switch("archive"):
            query["copyUIDGID"] = "true"
        self._client.send("PUT", f"/containers/{container}/archive", query, stream=pieces).read()

    def _stat(self, container: str, path: str) -> tuple[int, str] | None:
        """(mode in Go's bits, where a link leads); None when nothing is there."""
        try:
            response = self._client.send("HEAD", f"/containers/{container}/archive", {"path": path})
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        response.read()
        mode, target = _mode_of(response.headers), _stat_of(response.headers).get("linkTarget")
        return mode, str(target or "") if mode & rules.GO_LINK else ""

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._size += len(piece)
            yield piece

    def _told(self, target: str) -> None:
        given, quiet = self._given, not self._screen.is_terminal()
        if not (given.switch("quiet") if given.changed("quiet") else quiet):
            from havre.cli.units import show_size

            self._screen.error(f"Successfully copied {show_size(self._size)} to {target}")


def _stat_of(headers: dict[str, str]) -> dict[str, object]:
    from base64 import b64decode

    from havre.client.quick_json import loads

    told = loads(b64decode(headers.get("x-docker-container-path-stat", "") or "e30="))
    return told if isinstance(told, dict) else {}


def _mode_of(headers: dict[str, str]) -> int:
    mode = _stat_of(headers).get("mode")
    return mode if isinstance(mode, int) else 0


COMMAND = Command(
    summary="Copy files/folders between a container and the local filesystem",
    usage="[OPTIONS] CONTAINER:SRC_PATH... DEST_PATH|-\n        SRC_PATH|-... CONTAINER:DEST_PATH",
    flags=(
        switch("archive", "Archive mode (copy all uid/gid information)", short="a"),
        switch("follow-link", "Always follow symbol link in SRC_PATH", short="L"),
        switch("quiet", "Suppress progress output during copy", short="q"),
    ),
    at_least=2,
    run=run,
)
