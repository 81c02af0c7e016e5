"""Images: their names come unescaped, so every route has a greedy part."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NoReturn, Protocol

from havre.api.lines import started
from havre.api.request import Request
from havre.api.response import TAR, Answer, Response, Stream, as_json
from havre.api.router import Route
from havre.base.errors import InvalidInput, NotSupported
from havre.oci.reference import Reference
from havre.wire.filters import Filters, parse_filters
from havre.wire.images import DeleteItem, HistoryItem, ImageInspect, ImageSummary, PruneImagesReport
from havre.wire.progress import ProgressLine

_HELLO = Reference.parse("hello-world:latest")


@dataclass(frozen=True, slots=True)
class ImportWishes:
    """What a plain tar becomes: *reference* may be empty, *changes* are Dockerfile instructions."""

    reference: str
    changes: tuple[str, ...]
    message: str
    platform: str


class Images(Protocol):
    """What is asked of the engine."""

    async def inspect(self, ref: str) -> ImageInspect:
        """One image by name, digest, id or the beginning of its id."""

    async def history(self, ref: str) -> list[HistoryItem]:
        """How an image came to be, the newest step first."""

    async def tag(self, ref: str, name: str) -> None:
        """Give an image one more name."""

    async def remove(self, ref: str, *, force: bool, prune: bool) -> list[DeleteItem]:
        """Take a name away, and the image with its last name."""

    async def prune(self, filters: Filters) -> PruneImagesReport:
        """Remove what nobody uses."""

    async def list(self, filters: Filters, *, every: bool, shared_size: bool) -> list[ImageSummary]:
        """The images that pass *filters*; with *every* also those that only others stand on."""


class Archives(Protocol):
    """What is asked of the engine about archives of images."""

    def load(self, archive: AsyncIterator[bytes], *, quiet: bool) -> AsyncIterator[ProgressLine]:
        """Take in every image of an archive."""

    async def save(self, refs: list[str]) -> AsyncIterator[bytes]:
        """An archive of images. Raises before the first byte when one is unknown."""

    async def import_tree(self, archive: AsyncIterator[bytes], wishes: ImportWishes) -> str:
        """Make an image of one layer; gives its id."""

    async def ensure_hello(self) -> None:
        """Make sure that `hello-world` is there."""


def routes(images: Images) -> list[Route]:
    """The routes that ask *images*."""

    async def list_all(request: Request) -> Answer:
        query = request.query
        filters = parse_filters(query.text("filters"))
        return as_json(await images.list(filters, every=query.flag("all"), shared_size=query.flag("shared-size")))

    async def inspect(request: Request) -> Answer:
        return as_json(await images.inspect(request.parameters["name"]))

    async def history(request: Request) -> Answer:
        return as_json(await images.history(request.parameters["name"]))

    async def tag(request: Request) -> Answer:
        await images.tag(request.parameters["name"], _joined(request.query.text("repo"), request.query.text("tag")))
        return Response(201)

    async def remove(request: Request) -> Answer:
        query, name = request.query, request.parameters["name"]
        return as_json(await images.remove(name, force=query.flag("force"), prune=not query.flag("noprune")))

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


def archive_routes(archives: Archives) -> list[Route]:
    """The routes that move whole images."""

    async def load(request: Request) -> Answer:
        return await started(archives.load(aiter(request.body), quiet=request.query.flag("quiet", default=True)))

    async def save(request: Request) -> Answer:
        names = [request.parameters["name"]] if "name" in request.parameters else request.query.all("names")
        if not names:
            raise InvalidInput("no image name given")
        return Stream(await archives.save(names), TAR)

    async def create(request: Request) -> Answer:
        if image := request.query.text("fromImage"):
            return await started(_pull(archives, image, request.query.text("tag")))
        return await started(_import(archives, request))

    return [
        Route("GET", "/images/get", save),
        Route("GET", "/images/{name:*}/get", save),
        Route("POST", "/images/load", load),
        Route("POST", "/images/create", create),
    ]


async def _pull(archives: Archives, image: str, tag: str) -> AsyncIterator[ProgressLine]:
    asked = Reference.parse(_joined(image, tag))
    if (asked.domain, asked.path, asked.tag or _HELLO.tag, asked.digest) != (
        _HELLO.domain,
        _HELLO.path,
        _HELLO.tag,
        "",
    ):
        _refuse_pull(asked)
    await archives.ensure_hello()
    yield {"status": f"Pulling from {_HELLO.path}", "id": _HELLO.tag}
    yield {"status": f"Status: Image is up to date for {_HELLO.familiar}"}


def _refuse_pull(asked: Reference) -> NoReturn:
    raise NotSupported(
        f"pulling from registries is not available in this version of Havre: {asked.familiar} cannot be fetched; "
        "make a base image with `havre image bootstrap`, or bring one with `load` or `import`"
    )


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


def _joined(repository: str, tag: str) -> str:
    """The name that the two query parameters make; a digest may come as a tag."""
    if not (repository and tag):
        return repository
    return f"{repository}{'@' if ':' in tag else ':'}{tag}"
