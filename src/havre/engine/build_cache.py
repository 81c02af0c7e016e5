"""The builder's cache as the Engine API shows and prunes it."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Final

from havre.base import clock
from havre.base.errors import InvalidInput
from havre.base.tasks import in_thread, to_the_end
from havre.build.cache import Cache, CacheRecord
from havre.build.caches.giving import layout, packed
from havre.build.mounts import CacheFolders
from havre.engine.ages import parse_until
from havre.images.images import Images
from havre.wire.filters import Filters
from havre.wire.system import BuildCacheItem, PruneBuildReport

_TEXTS: Final = {"id": "ID", "type": "Type", "description": "Description"}
_SWITCHES: Final[dict[str, Callable[[BuildCacheItem], bool]]] = {
    "inuse": lambda item: bool(item.get("InUse")),
    "shared": lambda item: bool(item.get("Shared")),
    "private": lambda item: not item.get("Shared"),
}
_TRUTH: Final = {"": True, "1": True, "true": True, "0": False, "false": False}
_LABELS: Final = frozenset({"label", "label!"})  # what `system prune` asks of everything; no record bears one
_FIELDS: Final = frozenset({"until", "parent", *_LABELS, *_TEXTS, *_SWITCHES})
_MOUNT: Final = "exec.cachemount"
_KINDS: Final = {"files": "internal", "settings": "internal"}


class BuildCache:
    """The verbs on the cache."""

    def __init__(self, images: Images, cache: Cache, folders: CacheFolders) -> None:
        self._images = images
        self._cache = cache
        self._folders = folders

    async def items(self) -> list[BuildCacheItem]:
        """Every record, and every cache mount."""
        needed = self._of_images()
        mounts = await in_thread(self._folders.kept)
        return [
            *(_item(record, shared=record.chain in needed) for record in self._cache.all()),
            *(self._mount_item(name, *kept) for name, kept in mounts.items()),
        ]

    async def prune(self, filters: Filters, *, every: bool, keep_bytes: int) -> PruneBuildReport:
        """Remove what no image needs; with *every* also the records of what images need, and all cache mounts.

        The records used last stay as far as *keep_bytes* reach. Raises InvalidInput.
        """
        chosen = await self._chosen(filters, every=every)
        doomed = _beyond(chosen, keep_bytes)
        keys = [item.get("ID") or "" for item in doomed]
        mounts = {name for name in keys if name.startswith(_MOUNT)}
        await in_thread(self._cache.remove, [key for key in keys if key not in mounts])
        kept = {name for name in mounts if not await self._folders.remove(name.removeprefix(f"{_MOUNT}:"))}
        await self._images.sweep()
        gone = [item for item in doomed if item.get("ID") not in kept]
        freed = sum(item.get("Size") or 0 for item in gone if not item.get("Shared"))
        return {"CachesDeleted": [item.get("ID") or "" for item in gone] or None, "SpaceReclaimed": freed}

    async def export(self, keys: Sequence[str], tag: str) -> AsyncGenerator[bytes, None]:
        """The steps *keys*, those that are still known, as an OCI layout in an archive (`build.caches`)."""
        found = (self._cache.find(key) for key in keys)
        records = [record for record in found if record is not None]
        content = self._images.store.content
        async with self._images.arriving() as arrival:
            for record in records:
                if (layer := record.layer()) is not None:
                    await in_thread(arrival.has, layer.blob.parsed_digest())
            pieces = layout(await packed(records, arrival), content, tag)
            try:
                while (piece := await to_the_end(in_thread(lambda: next(pieces, None)))) is not None:
                    yield piece
            finally:
                await in_thread(pieces.close)

    async def _chosen(self, filters: Filters, *, every: bool) -> list[BuildCacheItem]:
        if unknown := filters.keys() - _FIELDS:
            raise InvalidInput(f"invalid filter '{min(unknown)[:64]}'")
        questions: list[Callable[[BuildCacheItem], bool]] = [lambda item: not item.get("InUse")]
        if not every:
            questions.append(lambda item: not item.get("Shared"))
        if filters.get("label"):
            return []
        if filters.get("until"):
            until = clock.rfc3339_fixed(parse_until(filters["until"], clock.now_ns()))
            questions.append(lambda item: (item.get("LastUsedAt") or "") <= until)
        questions += [_is_one_of(name, filters[field]) for field, name in _TEXTS.items() if filters.get(field)]
        questions += [_is(ask, filters[field]) for field, ask in _SWITCHES.items() if field in filters]
        if parents := filters.get("parent"):
            questions.append(lambda item: not parents.isdisjoint(item.get("Parents") or ()))
        return [item for item in await self.items() if all(question(item) for question in questions)]

    def _mount_item(self, name: str, size: int, used_ns: int) -> BuildCacheItem:
        return {
            "ID": f"{_MOUNT}:{name}",
            "Type": _MOUNT,
            "Description": f"cache mount {name[:12]}",
            "InUse": self._folders.is_used(name),
            "Shared": False,
            "Size": size,
            "LastUsedAt": clock.rfc3339_fixed(used_ns),
        }

    def _of_images(self) -> frozenset[str]:
        return frozenset(str(layer.chain) for image in self._images.list() for layer in image.layers)


def _item(record: CacheRecord, *, shared: bool) -> BuildCacheItem:
    return {
        "ID": record.key,
        "Parents": [record.parent] if record.parent else [],
        "Type": _KINDS.get(record.kind, "regular"),
        "Description": record.text,
        "InUse": False,
        "Shared": shared,
        "Size": record.size_bytes,
        "CreatedAt": clock.rfc3339(record.created_ns),
        "LastUsedAt": clock.rfc3339_fixed(record.used_ns),
        "UsageCount": record.uses,
    }


def _is_one_of(field: str, wanted: frozenset[str]) -> Callable[[BuildCacheItem], bool]:
    return lambda item: str(item.get(field)) in wanted


def _is(ask: Callable[[BuildCacheItem], bool], said: frozenset[str]) -> Callable[[BuildCacheItem], bool]:
    """`shared`, `shared=true` or `shared=false`. Raises InvalidInput."""
    if unknown := said - _TRUTH.keys():
        raise InvalidInput(f"invalid filter value '{min(unknown)[:64]}': it is true or false")
    wanted = {_TRUTH[text] for text in said}
    return lambda item: ask(item) in wanted


def _beyond(items: Iterable[BuildCacheItem], keep_bytes: int) -> list[BuildCacheItem]:
    """Those that do not fit into *keep_bytes*, the ones used last being kept first."""
    kept = 0
    doomed: list[BuildCacheItem] = []
    for item in sorted(items, key=lambda item: item.get("LastUsedAt") or "", reverse=True):
        size = item.get("Size") or 0
        if keep_bytes and kept + size <= keep_bytes:
            kept += size
        else:
            doomed.append(item)
    return doomed
