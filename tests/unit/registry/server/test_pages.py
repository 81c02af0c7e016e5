"""Pages: every name once, in order, whatever the size of the page."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.registry.server.pages import MAX_PAGE, Page, cut, next_link, parse_page
from havre.registry.server.refusal import Refusal


def test_no_page_is_larger_than_a_thousand() -> None:
    assert parse_page({}) == Page(MAX_PAGE)
    assert parse_page({"n": "999999999999"}) == Page(MAX_PAGE)
    assert parse_page({"n": "7", "last": "x"}) == Page(7, "x")


@pytest.mark.parametrize("number", ["-1", "", "1_0", "+1", " 1", "٣", "1e3", "9" * 30])
def test_a_number_that_is_none(number: str) -> None:
    with pytest.raises(Refusal):
        parse_page({"n": number})


@given(st.lists(st.from_regex(r"[a-z0-9][a-z0-9+&=#%. -]{0,12}", fullmatch=True), unique=True), st.integers(1, 5))
def test_following_the_links_finds_every_name_once(names: list[str], count: int) -> None:
    ordered, found = sorted(names), list[str]()
    page, rounds = Page(count), 0
    while True:
        matching = [name for name in ordered if name > page.last][: page.count + 1]
        shown, last = cut(matching, page)
        found += shown
        rounds += 1
        headers = next_link("/v2/a/tags/list", page, last)
        if not headers:
            break
        link = re.fullmatch(r'</v2/a/tags/list\?([^>]*)>; rel="next"', headers["Link"])
        assert link is not None
        page = parse_page(dict(parse_qsl(link[1])))
    assert found == ordered
    assert rounds == max(1, -(-len(names) // count))


def test_a_page_of_nothing_leads_nowhere() -> None:
    shown, last = cut(["a"], Page(0))
    assert (list(shown), last, next_link("/p", Page(0), last)) == ([], "", {})
