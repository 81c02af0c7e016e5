"""What images take on the disk, as `docker system df` counts it: unpacked layers, each once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from havre.images.model import Image


@dataclass(frozen=True, slots=True)
class DiskUse:
    """All layers together, and for each image id the bytes that it shares with other images."""

    layers_bytes: int
    shared_bytes: dict[str, int]


def disk_use(images: Sequence[Image]) -> DiskUse:
    """What *images* take, all of a store."""
    sizes = {layer.chain: layer.size_bytes for image in images for layer in image.layers}
    users = Counter(layer.chain for image in images for layer in image.layers)
    shared = {image.id: sum(layer.size_bytes for layer in image.layers if users[layer.chain] > 1) for image in images}
    return DiskUse(sum(sizes.values()), shared)
