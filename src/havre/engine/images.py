"""Images as the Engine API shows them, and the one thing that `images` cannot know: which containers use them."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from havre.base import clock
from havre.base.errors import InvalidInput
from havre.base.tasks import in_thread
from havre.engine.ages import parse_until
from havre.engine.globs import matches
from havre.engine.image_manifests import shown_descriptor, summary_of
from havre.engine.parts import Parts
from havre.images.checking import Checks
from havre.images.disk import disk_use
from havre.images.images import Images
from havre.images.indexes import variants
from havre.images.model import ContainerUse, Image, ImageInUse, NoSuchImage, Removed, Untagged
from havre.images.platforms import wished_platform
from havre.oci.image_config import ProcessConfig
from havre.oci.reference import Reference
from havre.wire.container_config import ImageConfig
from havre.wire.filters import Filters
from havre.wire.images import (
    DeleteItem,
    GraphDriver,
    HistoryItem,
    ImageInspect,
    ImageManifestSummary,
    ImageSummary,
    PruneImagesReport,
)
from havre.wire.system import CheckLine

# Inside the class below, `list` is a verb.
_Steps = list[HistoryItem]
_Items = list[DeleteItem]
_Rows = list[ImageSummary]
_Manifests = list[ImageManifestSummary]
_Uses = list[ContainerUse]
_NS: Final = 1_000_000_000
_LIST_FIELDS: Final = frozenset(["before", "dangling", "label", "reference", "since", "until"])
_PRUNE_FIELDS: Final = frozenset({"dangling", "label", "label!", "until"})
_TRUE: Final = frozenset({"1", "true", "True"})
_FALSE: Final = frozenset({"0", "false", "False"})


class ImageService:
    """The verbs on images. *ref* is a name, a digest, an id or the beginning of one."""

    def __init__(self, parts: Parts, images: Images) -> None:
        self._parts = parts
        self._images = images

    @property
    def count(self) -> int:
        """How many images there are; several platforms under one name are one."""
        return sum(not self._is_covered(image) for image in self._images.list())

    async def list(self, filters: Filters, *, every: bool, shared_size: bool) -> list[ImageSummary]:
        """The images that pass *filters*, the newest first; with *every* also those that only others stand on.

        Of several platforms under one name there is one.
        """
        images = self._images.list()
        wanted = self._filter(filters, _LIST_FIELDS)
        parents = {image.parent for image in images if image.parent}
        shared = disk_use(images).shared_bytes if shared_size else {}
        rows: list[ImageSummary] = []
        for image in images:
            hidden = image.id in parents and not image.references
            if (hidden and not every) or self._is_covered(image) or not wanted(image):
                continue
            rows.append(_summary(image, _referenced(image, filters), shared.get(image.id, -1)))
        return rows

    async def inspect(self, ref: str, platform: str = "") -> ImageInspect:
        """One image. Raises NoSuchImage, also for one that does not serve *platform*."""
        image = self._images.find(ref, wished_platform(platform))
        config = image.config
        return {
            "Id": image.id,
            "Descriptor": shown_descriptor(image.index or image.manifest),
            "RepoTags": list(image.repo_tags),
            "RepoDigests": list(image.repo_digests),
            "Parent": image.parent,
            "Comment": config.history[-1].comment if config.history else config.comment,
            "Created": clock.rfc3339(image.created_ns),
            "DockerVersion": config.docker_version,
            "Author": config.author,
            "Config": _config(config.process),
            "Architecture": config.architecture,
            "Os": config.os,
            "Size": image.size_bytes,
            "GraphDriver": self._driver(image),
            "RootFS": {"Type": "layers", "Layers": [str(layer.diff) for layer in image.layers]},
            "Metadata": {"LastTagTime": clock.rfc3339(image.last_tagged_ns)},
            **_optional(image),
        }

    async def manifests(self, image_id: str) -> _Manifests:
        """What the index of an image lists, or its one manifest; nothing of an image that is gone."""
        image, store = self._images.get(image_id), self._images.store
        if image is None:
            return []
        found = await variants(store.content, store.catalogue.with_manifest, image)
        users = [[one.id for one in self.uses(each.image.id)] if each.image is not None else [] for each in found]
        return [summary_of(each, users_of) for each, users_of in zip(found, users, strict=True)]

    async def history(self, ref: str, platform: str = "") -> _Steps:
        """How an image came to be, the newest step first. Raises as `inspect`."""
        return [
            {
                "Id": step.id or "<missing>",
                "Created": step.created_ns // _NS,
                "CreatedBy": step.created_by,
                "Tags": list(step.tags) or None,
                "Size": step.size_bytes,
                "Comment": step.comment,
            }
            for step in self._images.history(ref, wished_platform(platform))
        ]

    async def tag(self, ref: str, name: str) -> None:
        """Give an image one more name. Raises NoSuchImage, InvalidInput."""
        target = Reference.parse(name)
        if target.digest:
            raise InvalidInput("refusing to create a tag with a digest reference")
        image = await self._images.tag(ref, target)
        self._tell("tag", image.id, target.with_default_tag().familiar)

    async def remove(self, ref: str, *, force: bool, prune: bool, platform: str = "") -> _Items:
        """Take a name away, and the image with its last name; of several platforms only *platform* if one is given.

        Raises ImageInUse, and as `inspect`.
        """
        meant = self._images.find(ref, wished_platform(platform))
        others = self._images.store.catalogue.platforms(meant)[1:]
        if platform and others:
            removed = await self._remove_one_of(meant, others[0], force=force)
        else:
            removed = await self._images.remove(ref, self.uses, force=force, noprune=not prune)
        return [self._told(one) for one in removed]

    async def prune(self, filters: Filters) -> PruneImagesReport:
        """Remove what nobody uses: images without a name or, with `dangling=false`, all that no container needs."""
        wanted = self._filter({**filters, "dangling": frozenset()}, _PRUNE_FIELDS)
        only_nameless = _flag(filters, "dangling", default=True)
        before = disk_use(self._images.list()).layers_bytes
        items: _Items = []
        for image in self._images.list():
            if (only_nameless and image.references) or not wanted(image) or self.is_needed(image):
                continue
            items += await self.remove_whole(image)
        await in_thread(self._images.store.content.awaited.forget)
        await self._images.sweep()
        reclaimed = max(0, before - disk_use(self._images.list()).layers_bytes)
        if items:
            self._parts.events.publish("image", "prune", "", {"reclaimed": str(reclaimed)})
        return {"ImagesDeleted": items or None, "SpaceReclaimed": reclaimed}

    async def check(self, *, repair: bool) -> AsyncIterator[CheckLine]:
        """Verify all that is stored, and mend it with *repair*; a line for each problem."""
        await self._images.behind.settled()
        async for problem in Checks(self._images.store, lambda image_id: bool(self.uses(image_id))).run(repair=repair):
            yield {
                "Kind": problem.kind,
                "Name": problem.name,
                "Problem": problem.what,
                "Repaired": problem.mended,
            }

    async def usage(self) -> tuple[int, _Rows]:
        """The bytes of all layers, each once, and a row for each image with how many containers use it."""
        images = self._images.list()
        use = disk_use(images)
        rows = [_summary(image, image.references, use.shared_bytes.get(image.id, 0)) for image in images]
        for row, image in zip(rows, images, strict=True):
            row["Containers"] = len(self.uses(image.id))
        return use.layers_bytes, rows

    def uses(self, image_id: str) -> _Uses:
        """The containers made from an image."""
        return [ContainerUse(one.id, one.record.alive) for one in self._parts.roster if one.record.image_id == image_id]

    async def _remove_one_of(self, image: Image, other: Image, *, force: bool) -> tuple[Removed, ...]:
        """Remove *image* alone; *other*, of the same index, has its names from then on."""
        names, tag = image.references, self._images.store.tag
        if names:
            await tag(other.id, names, at_ns=image.last_tagged_ns)
        try:
            return await self._images.remove(image.id, self.uses, force=force, noprune=True)
        except ImageInUse:
            if names:
                await tag(image.id, names, at_ns=image.last_tagged_ns)
            raise

    def is_needed(self, image: Image) -> bool:
        """Whether a container or a name needs *image*; with a name it stands for all that came by the same index."""
        meant = self._images.store.catalogue.platforms(image) if image.references else (image,)
        return self._is_covered(image) or any(self.uses(one.id) for one in meant)

    async def remove_whole(self, image: Image) -> _Items:
        """Take an image away with all its names, unless somebody begins to use it."""
        items: _Items = []
        names = [name.familiar for name in image.references] or [image.id]
        with suppress(ImageInUse):  # somebody began to use it
            for name in names:
                with suppress(NoSuchImage):  # it went with the last tag of its repository, or somebody was faster
                    items += [self._told(one) for one in await self._images.remove(name, self.uses)]
        return items

    def _filter(self, filters: Filters, known: frozenset[str]) -> Callable[[Image], bool]:
        unknown = filters.keys() - known
        if unknown:
            raise InvalidInput(f"Invalid filter '{min(unknown)[:64]}'")
        questions: list[Callable[[Image], bool]] = [lambda image: _has_labels(image, filters.get("label", frozenset()))]
        if filters.get("dangling"):
            nameless = _flag(filters, "dangling", default=True)
            questions.append(lambda image: (not image.references) == nameless)
        if filters.get("reference"):
            questions.append(lambda image: bool(_referenced(image, filters)))
        if filters.get("until"):
            until_ns = parse_until(filters["until"], clock.now_ns())
            questions.append(lambda image: image.created_ns <= until_ns)
        if filters.get("label!"):
            questions.append(lambda image: not any(_has_labels(image, {one}) for one in filters["label!"]))
        for field, sign in (("before", -1), ("since", 1)):
            limits = [self._images.find(ref).created_ns for ref in filters.get(field, ())]
            questions.extend(_older_or_newer(limit_ns, sign) for limit_ns in limits)
        return lambda image: all(question(image) for question in questions)

    def _is_covered(self, image: Image) -> bool:
        return self._images.store.catalogue.is_covered(image)

    def _told(self, removed: Removed) -> DeleteItem:
        if isinstance(removed, Untagged):
            self._tell("untag", removed.image_id, removed.image_id)
            return {"Untagged": removed.reference.familiar}
        if removed.image:
            self._tell("delete", removed.digest, removed.digest)
        return {"Deleted": removed.digest}

    def _tell(self, action: str, image_id: str, name: str) -> None:
        image = self._images.get(image_id)
        labels = (image.config.process.labels or {}) if image is not None else {}
        self._parts.events.publish("image", action, image_id, {**labels, "name": name})

    def _driver(self, image: Image) -> GraphDriver:
        folders = [str(self._parts.snapshots.diff_path(layer.chain.value)) for layer in reversed(image.layers)]
        data: dict[str, str] = {}
        if folders:
            own = self._parts.snapshots.target(image.layers[-1].chain.value)
            data |= {"MergedDir": str(own), "UpperDir": folders[0], "WorkDir": str(own.with_name("work"))}
        if folders[1:]:
            data["LowerDir"] = ":".join(folders[1:])
        return {"Data": data, "Name": "overlay2"}


def _summary(image: Image, names: Sequence[Reference], shared: int) -> ImageSummary:
    return {
        "Containers": -1,
        "Created": image.created_ns // _NS,
        "Descriptor": shown_descriptor(image.index or image.manifest),
        "Id": image.id,
        "Labels": image.config.process.labels,
        "ParentId": image.parent,
        "RepoDigests": [name.familiar for name in names if name.digest],
        "RepoTags": [name.familiar for name in names if not name.digest],
        "SharedSize": shared,
        "Size": image.size_bytes,
    }


def _referenced(image: Image, filters: Filters) -> Sequence[Reference]:
    """The names of *image* that the `reference` filter lets through; all without one."""
    patterns = filters.get("reference")
    if not patterns:
        return image.references
    return [
        name
        for name in image.references
        if any(matches(pattern, text) for pattern in patterns for text in (name.familiar, name.familiar_name))
    ]


def _has_labels(image: Image, wanted: frozenset[str] | set[str]) -> bool:
    labels = image.config.process.labels or {}
    pairs = (one.partition("=") for one in wanted)
    return all(key in labels and (not equals or labels[key] == value) for key, equals, value in pairs)


def _older_or_newer(limit_ns: int, sign: int) -> Callable[[Image], bool]:
    return lambda image: (image.created_ns - limit_ns) * sign > 0


def _flag(filters: Filters, field: str, *, default: bool) -> bool:
    values = filters.get(field) or frozenset()
    if not values:
        return default
    if not values <= _TRUE | _FALSE or (values & _TRUE and values & _FALSE):
        raise InvalidInput(f"invalid filter '{field}={sorted(values)}'")
    return bool(values & _TRUE)


def _config(process: ProcessConfig) -> ImageConfig:
    """With the fields that no image sets, which old clients expect."""
    shown: ImageConfig = {
        "Hostname": "",
        "Domainname": "",
        "User": process.user,
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "Tty": False,
        "OpenStdin": False,
        "StdinOnce": False,
        "Env": process.env,
        "Cmd": process.cmd,
        "Image": "",
        "Volumes": {path: {} for path in process.volumes} if process.volumes else None,
        "WorkingDir": process.working_dir,
        "Entrypoint": process.entrypoint,
        "OnBuild": process.on_build,
        "Labels": process.labels,
    }
    if process.exposed_ports:
        shown["ExposedPorts"] = {port: {} for port in process.exposed_ports}
    if process.stop_signal:
        shown["StopSignal"] = process.stop_signal
    if process.shell:
        shown["Shell"] = process.shell
    if (check := process.healthcheck) is not None:
        shown["Healthcheck"] = msgspec.to_builtins(check)
    return shown


def _optional(image: Image) -> ImageInspect:
    shown: ImageInspect = {}
    if image.config.variant:
        shown["Variant"] = image.config.variant
    if image.config.os_version:
        shown["OsVersion"] = image.config.os_version
    return shown
