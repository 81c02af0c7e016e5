"""`havre image ls --tree`: each image with its names, and below it the platforms that its index lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from havre.cli.units import show_size
from havre.wire.images import ImageManifestSummary, ImageSummary

_HEADERS = ("IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "IN USE")
_GAP = "   "
_Cells = tuple[str, ...]


def tree_lines(images: Sequence[ImageSummary]) -> Iterator[str]:
    """The table, an empty line between two images; sizes are of what is here: all of it, and the blobs alone."""
    blocks = [list(_block(image)) for image in images]
    rows = [_HEADERS, *(row for block in blocks for row in block)]
    widths = [max(len(row[at]) if at < len(row) else 0 for row in rows) for at in range(len(_HEADERS))]
    yield _line(_HEADERS, widths)
    for number, block in enumerate(blocks):
        if number:
            yield ""
        for row in block:
            yield _line(row, widths)


def _block(image: ImageSummary) -> Iterator[_Cells]:
    manifests = [one for one in image.get("Manifests") or () if one.get("Kind") == "image"]
    *others, last = sorted(image.get("RepoTags") or ["<untagged>"], reverse=True)
    for name in others:
        yield (name,)
    disk = sum(_size(one, "Total") for one in manifests)
    content = sum(_size(one, "Content") for one in manifests)
    used = any(_users(one) for one in manifests)
    yield (last, _short(image.get("Id")), show_size(disk), show_size(content), "yes" if used else "")
    for at, one in enumerate(manifests):
        yield _child(one, "└─" if at == len(manifests) - 1 else "├─")


def _child(manifest: ImageManifestSummary, branch: str) -> _Cells:
    platform = (manifest.get("ImageData") or {}).get("Platform") or {}
    parts = (platform.get("os"), platform.get("architecture"), platform.get("variant"))
    name = "/".join(part for part in parts if part)
    sizes = (show_size(_size(manifest, "Total")), show_size(_size(manifest, "Content")))
    return (f"{branch} {name}", _short(manifest.get("ID")), *sizes, "yes" if _users(manifest) else "")


def _users(manifest: ImageManifestSummary) -> list[str]:
    return (manifest.get("ImageData") or {}).get("Containers") or []


def _size(manifest: ImageManifestSummary, which: str) -> int:
    sizes = manifest.get("Size") or {}
    return (sizes.get("Total") if which == "Total" else sizes.get("Content")) or 0


def _short(digest: str | None) -> str:
    return (digest or "").removeprefix("sha256:")[:12]


def _line(row: _Cells, widths: list[int]) -> str:
    """Sizes stand to the right."""
    cells = [
        cell.rjust(width) if at in {2, 3} else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=False))
    ]
    return _GAP.join(cells).rstrip()
