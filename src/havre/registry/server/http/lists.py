"""Lists over HTTP: tags, catalogue, referrers, and the search of Docker's first registry API."""

from aiohttp import web

from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int
from havre.base.tasks import in_thread
from havre.oci.descriptor import OCI_INDEX
from havre.oci.manifest import Index
from havre.registry.server.auth.callers import Door
from havre.registry.server.fetching import Source
from havre.registry.server.http.exchange import Exchange, as_json
from havre.registry.server.pages import Page, cut, next_link, parse_page
from havre.registry.server.paths import Plain, ReferrersOf, TagList
from havre.registry.server.records.lists import Lists
from havre.registry.server.refusal import Code, Refusal

_MAX_FOUND = 100


class ListRoutes:
    """What is there, page by page."""

    def __init__(self, lists: Lists, source: Source, door: Door) -> None:
        self._lists = lists
        self._source = source
        self._door = door

    async def tags(self, exchange: Exchange, at: TagList) -> web.StreamResponse:
        """GET of a repository's tags."""
        page = parse_page(exchange.query)
        shown, last = cut(await self._source.tags(at.name, page), page)
        headers = next_link(f"/v2/{at.name}/tags/list", page, last)
        return as_json({"name": at.name, "tags": shown}, headers=headers)

    async def catalog(self, exchange: Exchange, at: Plain) -> web.StreamResponse:
        """GET of the repositories that the caller may pull from."""
        page = parse_page(exchange.query)
        names: list[str] = []
        last = page.last
        while len(names) <= page.count:
            found = self._lists.repositories(Page(page.count, last))
            names += [name for name in found if self._door.may_see(exchange.caller, name)]
            if len(found) <= page.count:
                break
            last = found[-1]
        shown, last = cut(names, page)
        return as_json({"repositories": shown}, headers=next_link(at.path, page, last))

    async def referrers(self, exchange: Exchange, at: ReferrersOf) -> web.StreamResponse:
        """GET of the manifests that are about another one; an empty index when there are none."""
        page = parse_page(exchange.query)
        kind = exchange.query.get("artifactType", "")
        found = self._lists.referrers(at.name, at.digest, kind, page)
        shown, headers = found, {}
        if len(found) > page.count:
            shown = found[: page.count]
            path = f"/v2/{at.name}/referrers/{at.digest}"
            headers = next_link(path, page, shown[-1].digest, {"artifactType": kind} if kind else None)
        if kind:
            headers["OCI-Filters-Applied"] = "artifactType"
        index = Index(schema_version=2, media_type=OCI_INDEX, manifests=shown)
        return as_json(index, content_type=OCI_INDEX, headers=headers)

    async def search(self, exchange: Exchange, at: Plain) -> web.StreamResponse:
        """GET `/v1/search`: what `docker search` asks. Its pages count from 1."""
        del at
        query = exchange.query
        term = query.get("q", "").strip()[:255]
        size = _number(query.get("n", "25"), _MAX_FOUND)
        number = _number(query.get("page", "1"), 10_000)
        found = [
            {
                "name": name,
                "description": description,
                "star_count": 0,
                "is_official": False,
                "is_automated": False,
                "is_trusted": False,
            }
            for name, description in await in_thread(self._lists.matching, term.lower())
            if self._door.may_see(exchange.caller, name)
        ]
        start = (number - 1) * size
        answer = {
            "query": term,
            "num_results": len(found),
            "num_pages": -(-len(found) // size),
            "page": number,
            "page_size": size,
            "results": found[start : start + size],
        }
        return as_json(answer)


def _number(text: str, high: int) -> int:
    try:
        return min(max(1, parse_int(text, what="number")), high)
    except InvalidInput as error:
        raise Refusal(Code.PAGINATION_NUMBER_INVALID, error.message) from None
