"""Image archives for tests, right and wrong ones, written with Python's own tarfile: a second opinion on the format."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Special:
    """A member that is no plain file."""

    kind: bytes
    link: str = ""


Files = Mapping[str, bytes | Special]


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar(files: Files, *, extra: Iterable[tuple[str, bytes]] = ()) -> bytes:
    """An archive of *files*, then of *extra*, whose names may repeat."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in [*files.items(), *extra]:
            member = tarfile.TarInfo(name)
            if isinstance(content, Special):
                member.type, member.linkname = content.kind, content.link
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def config(layers: Iterable[bytes], **changes: Any) -> bytes:
    """The config of an image with these uncompressed layers."""
    body: dict[str, Any] = {
        "created": "2024-05-06T07:08:09.123456789Z",
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
        "history": [{"created_by": f"layer {digest(layer)[7:13]}"} for layer in layers],
    }
    body.update(changes)
    return json.dumps(body).encode()


@dataclass
class DockerArchive:
    """What `docker save` wrote before it knew OCI; any part can be replaced by a wrong one."""

    layers: list[bytes]
    tags: list[str] | None = field(default_factory=lambda: ["test:1"])
    config_bytes: bytes = b""
    packed: list[bytes] | None = None
    entry: dict[str, Any] = field(default_factory=dict)

    def files(self) -> dict[str, bytes | Special]:
        made = self.config_bytes or config(self.layers)
        name = hashlib.sha256(made).hexdigest() + ".json"
        packed = self.packed or self.layers
        paths = [f"{hashlib.sha256(layer).hexdigest()}/layer.tar" for layer in self.layers]
        entry = {"Config": name, "RepoTags": self.tags, "Layers": paths, **self.entry}
        return {
            name: made,
            **dict(zip(paths, packed, strict=False)),
            "manifest.json": json.dumps([entry]).encode(),
        }

    def bytes(self) -> bytes:
        return tar(self.files())


class OciArchive:
    """An OCI image layout that grows blob by blob."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | Special] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
        self.entries: list[dict[str, Any]] = []

    def blob(self, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        self.files["blobs/sha256/" + digest(data)[7:]] = data
        return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}

    def manifest(
        self, layers: list[bytes], *, compress: bool = False, changes: Mapping[str, Any] | None = None, **more: Any
    ) -> dict[str, Any]:
        made = config(layers, **(changes or {}))
        packed = [gzip.compress(layer, mtime=0) if compress else layer for layer in layers]
        suffix = "+gzip" if compress else ""
        body = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.blob(made, OCI_CONFIG),
            "layers": [self.blob(layer, OCI_LAYER + suffix) for layer in packed],
        }
        return self.blob(json.dumps(body).encode(), OCI_MANIFEST, **more)

    def index(self, manifests: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        body = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
        return self.blob(json.dumps(body).encode(), OCI_INDEX, **more)

    def bytes(self) -> bytes:
        top = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self.entries}
        return tar({**self.files, "index.json": json.dumps(top).encode()})


def named(name: str) -> dict[str, Any]:
    return {"annotations": {"org.opencontainers.image.ref.name": name}}


async def body(data: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    """A request's body in pieces."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
