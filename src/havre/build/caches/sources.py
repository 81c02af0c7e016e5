"""Caches to read from: an artifact or an image in a registry, a folder that was sent, an image that is here."""

import errno
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from havre.base.errors import HavreError, InvalidInput, NotFound
from havre.base.tasks import in_thread
from havre.build.cache_document import CACHE_TYPE, MAX_BYTES, REF_NAME, Offered, read
from havre.build.cache_places import CacheKind, CachePlace
from havre.build.context import Context
from havre.images.candidate import Arrival
from havre.images.commit import layers_of
from havre.images.images import Images
from havre.images.model import Image
from havre.images.platforms import host_platform
from havre.images.resolving import resolve
from havre.kernel.inroot import open_in_root, read_in_root
from havre.kernel.libc import KernelError
from havre.oci import manifest
from havre.oci.descriptor import Descriptor
from havre.oci.image_config import ImageConfig
from havre.oci.manifest import Index, Manifest
from havre.oci.reference import Reference
from havre.registry.client.keyring import Credentials
from havre.registry.client.registries import Registries, credentials_for
from havre.registry.client.repository import Repository

_PIECE_BYTES: Final = 1 << 20


class Blobs(Protocol):
    """Where the layers of a cache come from."""

    def blob(self, wanted: Descriptor) -> AsyncGenerator[bytes, None]:
        """The bytes of one, not verified."""


@dataclass(frozen=True, slots=True)
class CacheSource:
    """One cache: what it offers, by key; *image* is one whose history may be compared, too."""

    place: CachePlace
    offered: Mapping[str, Offered]
    blobs: Blobs
    image: Image | None = None
    layers: Sequence[Descriptor] = field(default=())


class CacheSources:
    """Opens caches for one build."""

    def __init__(
        self, images: Images, registries: Registries, who: Mapping[str, Credentials], context: Context
    ) -> None:
        self._images = images
        self._registries = registries
        self._who = who
        self._context = context

    async def open(self, place: CachePlace, arrival: Arrival) -> CacheSource:
        """The cache at *place*. Raises NotFound, InvalidInput and what registries raise."""
        match place.kind:
            case CacheKind.REGISTRY:
                try:
                    return await self._registry(place)
                except HavreError:
                    if self._here(place) is None:
                        raise
            case CacheKind.LOCAL:
                return await in_thread(self._local, place)
            case _:
                pass
        image = self._here(place)
        if image is None:
            raise NotFound(f"No such image: {place.name}")
        return await in_thread(_of_image, place, image, arrival)

    def _here(self, place: CachePlace) -> Image | None:
        try:
            return self._images.find(place.name)
        except HavreError:
            return None

    async def _registry(self, place: CachePlace) -> CacheSource:
        reference = Reference.parse(place.name)
        repository = await self._registries.repository(reference, credentials_for(reference.domain, self._who))
        document = await repository.manifest(reference.digest or reference.tag)
        parsed = manifest.decode(document.data, document.descriptor.media_type)
        if isinstance(parsed, Manifest) and parsed.config.media_type == CACHE_TYPE:
            data = await repository.small_blob(parsed.config, MAX_BYTES)
            return CacheSource(place, read(data, parsed.layers), _Remote(repository))
        resolved = await resolve(repository, reference.digest or reference.tag, host_platform())
        return CacheSource(place, inline(resolved.config, resolved.layers), _Remote(repository))

    def _local(self, place: CachePlace) -> CacheSource:
        """An OCI layout in a folder that was sent."""
        folder = self._context.named.get(sent_name(place.name))
        if folder is None:
            raise NotFound("the folder of the cache was not sent")
        index = manifest.decode(_read(folder, "index.json", manifest.MAX_MANIFEST_BYTES))
        if not isinstance(index, Index):
            raise InvalidInput("index.json is no image index")
        chosen = _chosen(index, place.tag)
        data = _read(folder, _path(chosen), manifest.MAX_MANIFEST_BYTES)
        parsed = manifest.decode(data, chosen.media_type)
        if not isinstance(parsed, Manifest) or parsed.config.media_type != CACHE_TYPE:
            raise InvalidInput(f"{chosen.digest} is no build cache")
        return CacheSource(place, read(_read(folder, _path(parsed.config), MAX_BYTES), parsed.layers), _Folder(folder))


def sent_name(place: str) -> str:
    """What a sent folder of a cache is called among the named contexts, where no Dockerfile can name it."""
    return f"cache-from:{place}"


def inline(config: ImageConfig, layers: Sequence[Descriptor]) -> dict[str, Offered]:
    """What an image offers that was built with its cache in it. Raises InvalidInput."""
    if not config.build_cache:
        return {}
    return read(config.build_cache.encode(), layers, config.rootfs.diff_ids)


def _of_image(place: CachePlace, image: Image, arrival: Arrival) -> CacheSource:
    layers = layers_of(arrival, image)
    return CacheSource(place, inline(image.config, layers), _Nowhere(), image, layers)


def _chosen(index: Index, tag: str) -> Descriptor:
    for one in index.manifests:
        if tag in {one.digest, one.annotations.get(REF_NAME, "latest")}:
            return one
    raise NotFound(f"the folder has no cache {tag[:128]}")


def _path(wanted: Descriptor) -> str:
    digest = wanted.parsed_digest()
    return f"blobs/{digest.algorithm}/{digest.value}"


def _read(folder: Context, path: str, limit: int) -> bytes:
    try:
        return read_in_root(folder.root, f"/{path}", limit)
    except KernelError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            raise NotFound(f"the folder of the cache has no {path}") from error
        raise InvalidInput(f"cannot read {path}: {os.strerror(error.errno or 0).lower()}") from error


@dataclass(frozen=True, slots=True)
class _Remote:
    repository: Repository

    def blob(self, wanted: Descriptor) -> AsyncGenerator[bytes, None]:
        return self.repository.blob(wanted)


@dataclass(frozen=True, slots=True)
class _Folder:
    folder: Context

    async def blob(self, wanted: Descriptor) -> AsyncGenerator[bytes, None]:
        try:
            handle = open_in_root(self.folder.root, f"/{_path(wanted)}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except KernelError as error:
            raise NotFound(f"the folder of the cache has no blob {wanted.digest}") from error
        try:
            while piece := await in_thread(partial(os.read, handle, _PIECE_BYTES)):
                yield piece
        finally:
            os.close(handle)


class _Nowhere:
    """The layers of an image that is here are here."""

    async def blob(self, wanted: Descriptor) -> AsyncGenerator[bytes, None]:
        pieces: tuple[bytes, ...] = ()
        for piece in pieces:
            yield piece
        raise NotFound(f"blob {wanted.digest} is not here")
