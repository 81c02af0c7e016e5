"""Lists in pages: `n` and `last` in the query, `Link` in the answer (distribution-spec, "Listing Tags")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int
from havre.registry.server.refusal import Code, Refusal

MAX_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """At most *count* names that come after *last* in the order of their bytes."""

    count: int = MAX_PAGE
    last: str = ""


def parse_page(query: Mapping[str, str]) -> Page:
    """The page that is asked for; never more than MAX_PAGE names. Raises Refusal for an `n` that is no number."""
    count = MAX_PAGE
    if "n" in query:
        try:
            count = min(parse_int(query["n"], what="number of entries"), MAX_PAGE)
        except InvalidInput as error:
            raise Refusal(Code.PAGINATION_NUMBER_INVALID, error.message) from None
    return Page(count, query.get("last", "")[:512])


def cut(names: Sequence[str], page: Page) -> tuple[Sequence[str], str]:
    """The names of *page* out of those found (one more than asked for), and where the next page begins, if any."""
    if len(names) <= page.count:
        return names, ""
    shown = names[: page.count]
    return shown, shown[-1] if shown else ""


def next_link(path: str, page: Page, last: str, others: Mapping[str, str] | None = None) -> dict[str, str]:
    """The `Link` header that leads on from *last*; none when this page is the end."""
    if not last:
        return {}
    query = urlencode({**(others or {}), "last": last, "n": page.count})
    return {"Link": f'<{path}?{query}>; rel="next"'}
