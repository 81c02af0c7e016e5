"""Other people's tools read the store as it is, and it reads what they put there."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from pathlib import Path

import pytest

from havre.content.store import Content
from havre.oci.descriptor import OCI_MANIFEST, Descriptor
from tests.support.tars import archive, file

pytestmark = pytest.mark.root


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    content = Content(tmp_path / "content")
    layer = archive(file("etc/hello", b"hello"))
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [sha(layer)]},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": sha(config),
                "size": len(config),
            },
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": sha(layer),
                    "size": len(layer),
                }
            ],
        }
    ).encode()
    for blob in (layer, config, manifest):
        content.ingest(io.BytesIO(blob))
    name = {"org.opencontainers.image.ref.name": "hello"}
    descriptor = Descriptor(media_type=OCI_MANIFEST, digest=sha(manifest), size=len(manifest), annotations=name)
    content.index.write([descriptor])
    return tmp_path / "content"


def test_skopeo_reads_it(layout: Path, tmp_path: Path) -> None:
    told = subprocess.run(["skopeo", "inspect", f"oci:{layout}:hello"], check=True, capture_output=True).stdout
    assert json.loads(told)["Architecture"] == "amd64"
    subprocess.run(
        ["skopeo", "copy", f"oci:{layout}:hello", f"docker-archive:{tmp_path}/out.tar:hello:latest"],
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "out.tar").stat().st_size > 1000


def test_umoci_reads_it(layout: Path, tmp_path: Path) -> None:
    told = subprocess.run(["umoci", "ls", "--layout", str(layout)], check=True, capture_output=True, text=True).stdout
    assert told.split() == ["hello"]
    subprocess.run(
        ["umoci", "unpack", "--image", f"{layout}:hello", str(tmp_path / "bundle")],
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "bundle/rootfs/etc/hello").read_text() == "hello"
