"""The tree of platforms as a table."""

from __future__ import annotations

from havre.cli.image_tree import tree_lines
from havre.wire.images import ImageManifestSummary, ImageSummary


def manifest(number: int, architecture: str, variant: str, size: int, *containers: str) -> ImageManifestSummary:
    return {
        "ID": f"sha256:{number:064}",
        "Kind": "image",
        "Available": size > 0,
        "Size": {"Content": size, "Total": 2 * size},
        "ImageData": {
            "Platform": {"os": "linux", "architecture": architecture, "variant": variant},
            "Containers": list(containers),
        },
    }


def test_platforms_stand_below_their_names() -> None:
    statement: ImageManifestSummary = {"ID": f"sha256:{9:064}", "Kind": "attestation", "Size": {"Total": 5}}
    images: list[ImageSummary] = [
        {
            "Id": f"sha256:{7:064}",
            "RepoTags": ["a:1", "b:longer"],
            "Manifests": [manifest(1, "amd64", "", 1000, "c"), manifest(2, "arm64", "v8", 0), statement],
        },
        {"Id": f"sha256:{8:064}", "RepoTags": [], "Manifests": [manifest(3, "amd64", "", 500)]},
    ]
    assert list(tree_lines(images)) == [
        "IMAGE               ID             DISK USAGE   CONTENT SIZE   IN USE",
        "b:longer",
        "a:1                 000000000000          2kB            1kB   yes",
        "├─ linux/amd64      000000000000          2kB            1kB   yes",
        "└─ linux/arm64/v8   000000000000           0B             0B",
        "",
        "<untagged>          000000000000          1kB           500B",
        "└─ linux/amd64      000000000000          1kB           500B",
    ]


def test_no_image_is_a_line_of_headers() -> None:
    assert list(tree_lines([])) == ["IMAGE   ID   DISK USAGE   CONTENT SIZE   IN USE"]
