"""Puts secrets and configs that are no plain files into a container before it starts."""

from __future__ import annotations

import time

from havre.client.client import Client
from havre.compose.body.storage import mounted_file
from havre.compose.errors import ComposeError, InvalidFile
from havre.compose.model.grants import Grant, place
from havre.compose.model.project import Project
from havre.compose.model.resources import FileObject
from havre.compose.model.service import Service

_BLOCK = 512
_MAX_BYTES = 500 * 1024
_DEFAULT_MODE = 0o444


def inject(client: Client, container: str, service: Service, project: Project) -> None:
    """Copy what *service* was granted into *container*. Raises ComposeError for content that is not there."""
    for kind, grants, known in (
        ("secret", service.secrets, project.secrets), ("config", service.configs, project.configs),
    ):  # fmt: skip
        for grant in grants:
            source = known[grant.source]
            if not mounted_file(grant, source):
                content = _content(kind, grant, source, project)
                archive = tar_of_one(place(kind, grant), content, _mode(grant), (_owner(grant.uid), _owner(grant.gid)))
                response = client.send("PUT", f"/containers/{container}/archive", {"path": "/"}, stream=[archive])
                response.read()


def _content(kind: str, grant: Grant, source: FileObject, project: Project) -> bytes:
    if source.content is not None:
        data = source.content.encode()
    elif source.environment:
        if source.environment not in project.environment:
            raise InvalidFile(
                f"{kind} {grant.source!r}: the variable {source.environment!r} that it comes from is not set"
            )
        data = project.environment[source.environment].encode(errors="surrogateescape")
    else:
        try:
            with open(source.file, "rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise ComposeError(f"{kind} {grant.source!r}: open {source.file}: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise ComposeError(f"{kind} {grant.source!r}: larger than {_MAX_BYTES >> 10} KiB")
    return data


def _mode(grant: Grant) -> int:
    return grant.mode if grant.mode is not None else _DEFAULT_MODE


def _owner(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and int(text) < 1 << 21):
        raise ComposeError(f"uid and gid of a secret or config are numbers, not {text!r}")
    return int(text)


def tar_of_one(path: str, content: bytes, mode: int, owner: tuple[int, int]) -> bytes:
    """A tar archive (ustar, pax(1)) with one file; the engine makes the folders above it where they are missing."""
    blocks = [_header(path.strip("/"), len(content), mode, owner), content, b"\0" * (-len(content) % _BLOCK)]
    return b"".join((*blocks, b"\0" * (2 * _BLOCK)))


def _header(name: str, size: int, mode: int, owner: tuple[int, int]) -> bytes:
    encoded = name.encode()
    if len(encoded) > 100:
        raise ComposeError(f"the path of a secret or config is longer than 100 bytes: {name}")
    head = encoded.ljust(100, b"\0") + b"%07o\0%07o\0%07o\0" % (mode & 0o7777, *owner)
    head += b"%011o\0%011o\0" % (size, int(time.time()))
    tail = b"0" + b"\0" * 100 + b"ustar\x0000"
    checksum = sum(head) + sum(tail) + 8 * ord(" ")
    return (head + b"%06o\0 " % checksum + tail).ljust(_BLOCK, b"\0")
