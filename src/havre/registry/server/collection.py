"""Collection of garbage while the registry serves: what no manifest names and no push counts on."""

from dataclasses import dataclass
from functools import partial

from havre.base.clock import now_ns
from havre.registry.server.repositories import Repositories

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection removed."""

    manifests: int = 0
    blobs: int = 0
    size: int = 0


def collect(repositories: Repositories, untagged_after_s: float | None = None) -> Collected:
    """Remove what is not needed, records first, then bytes; blocks, and may run beside any number of pushes.

    With *untagged_after_s*, manifests that are so old, that no tag names and no index lists, go too.
    """
    records, manifests = repositories.records, 0
    for name in records.lists.all_names():
        if untagged_after_s is not None:
            old = records.manifests.untagged(name, now_ns() - int(untagged_after_s * _NS))
            manifests += sum(records.manifests.remove(name, digest) for digest in old)

        unneeded = records.blobs.unneeded(name)
        repositories.needs.unless_needed(name, unneeded, partial(records.blobs.remove_unneeded, name))
        records.manifests.remove_repository_if_empty(name)
    repositories.needs.forget_old()
    removed = repositories.content.sweep(records.blobs.held)
    return Collected(manifests, len(removed), sum(blob.size for blob in removed))
