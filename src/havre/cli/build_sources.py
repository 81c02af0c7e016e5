"""Where the files of a build come from: a folder, an archive or a Dockerfile on standard input, a web address, git."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain

from havre.cli.screen import STDIN
from havre.client.build_context import Dockerfile, find_dockerfile, pack_context, pack_folder
from havre.client.errors import ClientError
from havre.client.tar_out import document, gathered

_PIECE = 1 << 20
_HEAD = 512
_MAGIC = (b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_GIT = ("git://", "git@", "ssh://", "github.com/")
REMOTES = ("http://", "https://", *_GIT)


class Context:
    """An archive to send, and which Dockerfile in it counts.

    *text* is that Dockerfile's where it is known here; *members* are those of a folder, to which more may be added.
    """

    __slots__ = ("dockerfile", "members", "pieces", "shown", "text")

    def __init__(self, pieces: Iterable[bytes], dockerfile: str, *, text: bytes = b"", shown: str = "") -> None:
        self.pieces, self.dockerfile, self.text = pieces, dockerfile, text
        self.shown = shown or dockerfile
        self.members: Iterator[bytes] | None = None


def open_context(place: str, wanted: str) -> Context:
    """The context at *place* with the Dockerfile *wanted*. Raises ClientError."""
    if place == "-":
        if wanted == "-":
            raise ClientError("invalid argument: can't use stdin for both build context and dockerfile")
        return _stdin(wanted)
    if is_git(place):
        from havre.cli.git_context import cloned

        return _folder(cloned(place), wanted)
    if place.startswith(REMOTES):
        return _fetched(place, wanted)
    return _folder(place, wanted)


def is_git(place: str) -> bool:
    """Whether *place* is a git repository by its form."""
    path = place.partition("#")[0]
    return place.startswith(_GIT) or (path.startswith(("http://", "https://")) and path.endswith(".git"))


def _folder(folder: str, wanted: str) -> Context:
    if wanted == "-":
        text = b"".join(_read_stdin())
        dockerfile = Dockerfile(f".dockerfile.{os.urandom(10).hex()}", text, added=True)
        return _of_folder(folder, dockerfile, "Dockerfile")
    dockerfile = find_dockerfile(folder, wanted)
    return _of_folder(folder, dockerfile, wanted or dockerfile.name)


def _of_folder(folder: str, dockerfile: Dockerfile, shown: str) -> Context:
    made = Context((), dockerfile.name, text=dockerfile.text, shown=shown)
    made.members = pack_context(folder, dockerfile)
    made.pieces = gathered(made.members)
    return made


def add_folder(context: Context, folder: str, number: int) -> str:
    """Send *folder* along as a further context; its name in the archive. Raises ClientError."""
    if context.members is None:
        raise ClientError("named contexts that are folders need a context that is a folder")
    name = f".context.{os.urandom(10).hex()}.{number}"
    context.members = chain(context.members, pack_folder(folder, name))
    context.pieces = gathered(context.members)
    return name


def _stdin(wanted: str) -> Context:
    return _archive_or_text(_read_stdin(), wanted)


def _archive_or_text(pieces: Iterator[bytes], wanted: str) -> Context:
    """What begins like an archive is one; else it is a Dockerfile."""
    head = b""
    while len(head) < _HEAD and (piece := next(pieces, b"")):
        head += piece
    if head.startswith(_MAGIC) or head[257:262] == b"ustar":
        return Context(_after(head, pieces), wanted or "Dockerfile")
    text = head + b"".join(pieces)
    if not text.strip():
        raise ClientError("the Dockerfile cannot be empty")
    return Context(gathered([document(b"Dockerfile", text)]), "Dockerfile", text=text)


def _after(head: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from pieces


def _fetched(address: str, wanted: str) -> Context:
    import urllib.error
    import urllib.request

    try:
        answer = urllib.request.urlopen(address)  # noqa: S310  http or https, as the caller saw to
    except (urllib.error.URLError, OSError) as error:
        raise ClientError(f"unable to download remote context {address}: {error}") from error
    return _archive_or_text(iter(lambda: answer.read(_PIECE), b""), wanted)


def _read_stdin() -> Iterator[bytes]:
    while data := os.read(STDIN, _PIECE):
        yield data
