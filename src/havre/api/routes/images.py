"""Images: their names come unescaped, so every route has a greedy part."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import msgspec

from havre.api.credentials import auth_of
from havre.api.lines import started
from havre.api.request import Request
from havre.api.response import TAR, Answer, Response, Stream, as_json
from havre.api.router import Route
from havre.base.errors import InvalidInput, NotSupported
from havre.base.numbers import parse_int
from havre.wire.filters import Filters, parse_filters
from havre.wire.images import (
    AuthConfig,
    DeleteItem,
    HistoryItem,
    ImageInspect,
    ImageManifestSummary,
    ImageSummary,
    Platform,
    PruneImagesReport,
)
from havre.wire.progress import ProgressLine

_VIRTUAL_SIZE_UNTIL = (1, 44)
_MANIFESTS_LISTED_SINCE = (1, 47)
_DESCRIPTOR_SINCE = (1, 48)


@dataclass(frozen=True, slots=True)
class ImportWishes:
    """What a plain tar becomes: *reference* may be empty, *changes* are Dockerfile instructions."""

    reference: str
    changes: tuple[str, ...]
    message: str
    platform: str


@dataclass(frozen=True, slots=True)
class PullWishes:
    """What to pull, for which *platform*, and as whom; a *reference* without tag and digest means every tag."""

    reference: str
    platform: str
    auth: AuthConfig


@dataclass(frozen=True, slots=True)
class PushWishes:
    """What to push, and as whom; a *reference* without a tag means every tag. It has to serve *platform*, if any."""

    reference: str
    platform: str
    auth: AuthConfig


class Images(Protocol):
    """What is asked of the engine."""

    async def inspect(self, ref: str, platform: str) -> ImageInspect:
        """One image by name, digest, id or the beginning of its id, if it serves *platform*; empty for any."""

    async def manifests(self, image_id: str) -> list[ImageManifestSummary]:
        """What the index of an image lists, or its one manifest."""

    async def history(self, ref: str, platform: str) -> list[HistoryItem]:
        """How an image came to be, the newest step first."""

    async def tag(self, ref: str, name: str) -> None:
        """Give an image one more name."""

    async def remove(self, ref: str, *, force: bool, prune: bool, platform: str) -> list[DeleteItem]:
        """Take a name away, and the image with its last name."""

    async def prune(self, filters: Filters) -> PruneImagesReport:
        """Remove what nobody uses."""

    async def list(self, filters: Filters, *, every: bool, shared_size: bool) -> list[ImageSummary]:
        """The images that pass *filters*; with *every* also those that only others stand on."""


class Archives(Protocol):
    """What is asked of the engine about archives of images."""

    def load(self, archive: AsyncIterator[bytes], *, quiet: bool, platform: str) -> AsyncIterator[ProgressLine]:
        """Take in every image of an archive, or those for *platform*."""

    async def save(self, refs: list[str], platform: str) -> AsyncIterator[bytes]:
        """An archive of images. Raises before the first byte when one is unknown, or not for *platform*."""

    async def import_tree(self, archive: AsyncIterator[bytes], wishes: ImportWishes) -> str:
        """Make an image of one layer; gives its id."""


class Transfers(Protocol):
    """What is asked of the engine about registries."""

    def pull(self, asked: PullWishes) -> AsyncIterator[ProgressLine]:
        """Pull an image, or every tag of a repository; a client that goes away stops it."""

    def push(self, asked: PushWishes) -> AsyncIterator[ProgressLine]:
        """Push a tag, or every tag of a repository; a client that goes away stops it."""


def routes(images: Images) -> list[Route]:
    """The routes that ask *images*."""

    async def list_all(request: Request) -> Answer:
        query = request.query
        filters = parse_filters(query.text("filters"))
        rows = await images.list(filters, every=query.flag("all"), shared_size=query.flag("shared-size"))
        manifests = query.flag("manifests") and request.version >= _MANIFESTS_LISTED_SINCE
        for row in rows:
            await _fit(images, request, row, manifests=manifests)
            if manifests:
                row["Size"] = sum((one.get("Size") or {}).get("Total") or 0 for one in row.get("Manifests") or ())
        return as_json(rows)

    async def inspect(request: Request) -> Answer:
        platform, manifests = _platform(request), request.query.flag("manifests")
        if platform and manifests:
            raise InvalidInput("conflicting options: manifests and platform options cannot both be set")
        shown = await images.inspect(request.parameters["name"], platform)
        await _fit(images, request, shown, manifests=manifests and request.version >= _DESCRIPTOR_SINCE)
        # Gone since 1.45, but docker-compose 1.29, which asks in the newest version, recreates nothing without it.
        shown["ContainerConfig"] = shown.get("Config")
        return as_json(shown)

    async def history(request: Request) -> Answer:
        return as_json(await images.history(request.parameters["name"], _platform(request)))

    async def tag(request: Request) -> Answer:
        await images.tag(request.parameters["name"], _joined(request.query.text("repo"), request.query.text("tag")))
        return Response(201)

    async def remove(request: Request) -> Answer:
        query, name = request.query, request.parameters["name"]
        force, prune, platform = query.flag("force"), not query.flag("noprune"), _platform(request, "platforms")
        return as_json(await images.remove(name, force=force, prune=prune, platform=platform))

    async def prune(request: Request) -> Answer:
        return as_json(await images.prune(parse_filters(request.query.text("filters"))))

    return [
        Route("GET", "/images/json", list_all),
        Route("GET", "/images/{name:*}/json", inspect),
        Route("GET", "/images/{name:*}/history", history),
        Route("POST", "/images/prune", prune),
        Route("POST", "/images/{name:*}/tag", tag),
        Route("DELETE", "/images/{name:*}", remove),
    ]


async def _fit(images: Images, request: Request, row: ImageInspect | ImageSummary, *, manifests: bool) -> None:
    """Let *row* have what the version of *request* knows, and the manifests if they are wanted."""
    if request.version < _VIRTUAL_SIZE_UNTIL:
        row["VirtualSize"] = row.get("Size")
    if request.version < _DESCRIPTOR_SINCE:
        row.pop("Descriptor", None)
    if manifests:
        row["Manifests"] = await images.manifests(row.get("Id") or "")


class Collections(Protocol):
    """What is asked of the engine about disk growth: Havre's own."""

    async def collect(self, keep_days: int, keep_free_bytes: int, *, dry_run: bool) -> PruneImagesReport:
        """Remove images that nobody used for long, until enough is free."""


def collection_routes(collections: Collections) -> list[Route]:
    """The route that asks *collections*."""

    async def collect(request: Request) -> Answer:
        query = request.query
        days = parse_int(query.text("keep-days", "0"), what="keep-days", high=36500)
        free = parse_int(query.text("keep-free", "0"), what="keep-free")
        return as_json(await collections.collect(days, free, dry_run=query.flag("dry-run")))

    return [Route("POST", "/images/collect", collect)]


def archive_routes(archives: Archives, transfers: Transfers) -> list[Route]:
    """The routes that move whole images."""

    async def load(request: Request) -> Answer:
        quiet, platform = request.query.flag("quiet", default=True), _platform(request)
        return await started(archives.load(aiter(request.body), quiet=quiet, platform=platform))

    async def save(request: Request) -> Answer:
        names = [request.parameters["name"]] if "name" in request.parameters else request.query.all("names")
        if not names:
            raise InvalidInput("no image name given")
        return Stream(await archives.save(names, _platform(request)), TAR)

    async def create(request: Request) -> Answer:
        query = request.query
        if image := query.text("fromImage"):
            asked = PullWishes(_joined(image, query.text("tag")), query.text("platform"), auth_of(request))
            return await started(transfers.pull(asked))
        return await started(_import(archives, request))

    async def push(request: Request) -> Answer:
        name = _joined(request.parameters["name"], request.query.text("tag"))
        asked = PushWishes(name, _platform(request), auth_of(request))
        return await started(transfers.push(asked))

    return [
        Route("POST", "/images/{name:*}/push", push, endless=True),
        Route("GET", "/images/get", save),
        Route("GET", "/images/{name:*}/get", save),
        Route("POST", "/images/load", load),
        Route("POST", "/images/create", create, endless=True),
    ]


async def _import(archives: Archives, request: Request) -> AsyncIterator[ProgressLine]:
    query = request.query
    source = query.text("fromSrc")
    if source != "-":
        raise NotSupported(
            f"importing from {source[:256]!r} is not available in this version of Havre: send the archive"
        )
    wishes = ImportWishes(
        _joined(query.text("repo"), query.text("tag")),
        tuple(query.all("changes")),
        query.text("message"),
        query.text("platform"),
    )
    yield {"status": await archives.import_tree(aiter(request.body), wishes)}


def _platform(request: Request, field: str = "platform") -> str:
    """The one platform that the query names, as `os/architecture[/variant]`; empty for none. Raises InvalidInput."""
    given = request.query.all(field)
    if len(given) > 1:
        raise NotSupported("several platforms at once are not available in this version of Havre")
    if not given or not given[0]:
        return ""
    try:
        asked = msgspec.json.decode(given[0], type=Platform)
    except (msgspec.MsgspecError, RecursionError):
        raise InvalidInput(f"failed to parse platform: {given[0][:128]}") from None
    parts = (asked.get("os"), asked.get("architecture"), asked.get("variant"))
    return "/".join(part for part in parts if part)


def _joined(repository: str, tag: str) -> str:
    """The name that the two query parameters make; a digest may come as a tag."""
    if not (repository and tag):
        return repository
    return f"{repository}{'@' if ':' in tag else ':'}{tag}"
