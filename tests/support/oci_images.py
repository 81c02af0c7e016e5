"""Small OCI images as bytes, made fresh so that no two tests share a blob."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
EMPTY = b"{}"


def digest(data: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def descriptor(data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}


@dataclass
class Image:
    """A manifest and the blobs that it needs."""

    manifest: bytes
    media_type: str
    blobs: list[bytes] = field(default_factory=list)

    @property
    def digest(self) -> str:
        return digest(self.manifest)


def image(
    layers: int = 2, size: int = 1000, *, docker: bool = False, architecture: str = "amd64", **more: Any
) -> Image:
    """An image of random files; *more* goes into its manifest."""
    diffs, blobs, described = [], [], []
    for number in range(layers):
        raw = _tar(f"file-{number}", os.urandom(size))
        packed = gzip.compress(raw, 1)
        diffs.append(digest(raw))
        blobs.append(packed)
        described.append(descriptor(packed, DOCKER_LAYER if docker else OCI_LAYER))
    config = _json(
        {"architecture": architecture, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diffs}}
    )
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor(config, DOCKER_CONFIG if docker else OCI_CONFIG),
        "layers": described,
        **more,
    }
    return Image(_json(manifest), media_type, [config, *blobs])


def artifact(subject: Image | None, kind: str, *, config_type: str = "", **more: Any) -> Image:
    """A manifest about *subject*, its artifact type in the field of that name or in its config's media type."""
    layer = os.urandom(50)
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(EMPTY, config_type or "application/vnd.oci.empty.v1+json"),
        "layers": [descriptor(layer, "application/octet-stream")],
        **more,
    }
    if kind:
        manifest["artifactType"] = kind
    if subject is not None:
        manifest["subject"] = descriptor(subject.manifest, subject.media_type)
    return Image(_json(manifest), OCI_MANIFEST, [EMPTY, layer])


def index(*images: Image, docker: bool = False, **more: Any) -> Image:
    """An index of *images*, the first of them for linux/amd64."""
    media_type = DOCKER_LIST if docker else OCI_INDEX
    platforms = ["amd64", "arm64", "s390x", "ppc64le"]
    manifests = [
        descriptor(each.manifest, each.media_type, platform={"os": "linux", "architecture": architecture})
        for each, architecture in zip(images, platforms, strict=False)
    ]
    return Image(_json({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests, **more}), media_type)


def write_layout(folder: Path, made: Image, tag: str) -> Path:
    """The image as an OCI layout, for clients that copy from one."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for data in (made.manifest, *made.blobs):
        (blobs / digest(data).partition(":")[2]).write_bytes(data)
    named = descriptor(made.manifest, made.media_type, annotations={"org.opencontainers.image.ref.name": tag})
    (folder / "index.json").write_bytes(_json({"schemaVersion": 2, "manifests": [named]}))
    (folder / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
    return folder


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _tar(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
