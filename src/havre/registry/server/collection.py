"""Collection of garbage while the registry serves: what no manifest names and no push counts on."""

from dataclasses import dataclass
from functools import partial

from havre.base.clock import now_ns
from havre.oci.digest import Digest
from havre.registry.server.repositories import Repositories

_NS = 1_000_000_000
_BATCH = 200


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection removed."""

    manifests: int = 0
    blobs: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Ages:
    """From which age manifests are garbage (seconds; None: never): those *untagged*, and those *unused*."""

    untagged: float | None = None
    unused: float | None = None


def collect(repositories: Repositories, ages: Ages) -> Collected:
    """Remove what is not needed, records first, then bytes; blocks, and may run beside any number of pushes.

    Untagged is a manifest that no tag names, no index lists, and that is about no other one.
    """
    records, manifests = repositories.records, 0
    for name in records.lists.all_names():
        old: set[Digest] = set()
        if ages.untagged is not None:
            old.update(records.manifests.untagged(name, now_ns() - int(ages.untagged * _NS)))
        if ages.unused is not None:
            old.update(records.manifests.older(name, now_ns() - int(ages.unused * _NS)))
        manifests += sum(records.manifests.remove(name, digest) for digest in old)

        unneeded = records.blobs.unneeded(name)
        for at in range(0, len(unneeded), _BATCH):  # clients wait while the needs are weighed: not for long
            batch = unneeded[at : at + _BATCH]
            repositories.needs.unless_needed(name, batch, partial(records.blobs.remove_unneeded, name))
        records.manifests.remove_repository_if_empty(name)
    repositories.needs.forget_old()
    removed = repositories.content.sweep(records.blobs.held)
    return Collected(manifests, len(removed), sum(blob.size for blob in removed))
