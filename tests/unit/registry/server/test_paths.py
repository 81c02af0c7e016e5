"""Paths of requests: whatever arrives, what comes out fits its grammar."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.oci.digest import Digest
from havre.registry.server.paths import (
    BlobAt,
    InRepository,
    ManifestAt,
    Plain,
    ReferrersOf,
    TagList,
    Target,
    UploadAt,
    UploadStart,
    parse_target,
)
from havre.registry.server.refusal import Refusal

HEX = "0123456789abcdef" * 4
DIGEST = Digest("sha256", HEX)
COMPONENT = st.from_regex(r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}", fullmatch=True)
NAMES = st.lists(COMPONENT, min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v2/a/tags/list", TagList("a")),
        ("/v2/a/b/tags/list?n=1", TagList("a/b")),
        ("/v2/tags/list/tags/list", TagList("tags/list")),
        ("/v2/a/blobs/uploads", UploadStart("a")),
        ("/v2/a/blobs/uploads/", UploadStart("a")),
        (f"/v2/a/blobs/uploads/{HEX}", UploadAt("a", HEX)),
        (f"/v2/a/blobs/sha256:{HEX}", BlobAt("a", DIGEST)),
        (f"/v2/a/blobs/sha256%3A{HEX}", BlobAt("a", DIGEST)),
        ("/v2/a/manifests/v1", ManifestAt("a", "v1", None)),
        ("/v2/manifests/manifests/manifests", ManifestAt("manifests", "manifests", None)),
        (f"/v2/a/manifests/sha256:{HEX}", ManifestAt("a", f"sha256:{HEX}", DIGEST)),
        (f"/v2/a/referrers/sha256:{HEX}", ReferrersOf("a", DIGEST)),
        ("/v2/", Plain("/v2/")),
        ("/v2/_catalog", Plain("/v2/_catalog")),
        ("/v2/a/manifests/", Plain("/v2/a/manifests/")),
        ("/v2//tags/list", Plain("/v2//tags/list")),
    ],
)
def test_paths_and_what_they_name(path: str, target: Target) -> None:
    assert parse_target(path) == target


@pytest.mark.parametrize(
    "path",
    [
        "/v2/../tags/list",
        "/v2/a/../../etc/tags/list",
        "/v2/%2e%2e/tags/list",
        "/v2/a%2f..%2fb/tags/list",
        "/v2/a%00/tags/list",
        "/v2/a%0a/tags/list",
        "/v2/a/tags/list%0a",
        "/v2/%ff/tags/list",
        "/v2/A/tags/list",
        "/v2/a//b/tags/list",
        "/v2/é/tags/list",
        "/v2/\u0430/tags/list",
        f"/v2/{'a' * 256}/tags/list",
        "/v2/a/blobs/sha256:..",
        "/v2/a/blobs/..",
        f"/v2/a/blobs/sha256:{HEX.upper()}",
        f"/v2/a/blobs/sha512:{HEX}",
        f"/v2/a/blobs/md5:{HEX[:32]}",
        "/v2/a/referrers/v1",
        "/v2/a/blobs/uploads/..",
        "/v2/a/blobs/uploads/short",
        "/v2/a/manifests/sha256:x",
    ],
)
def test_what_fits_no_grammar_is_refused(path: str) -> None:
    with pytest.raises(Refusal):
        parse_target(path)


@given(NAMES)
def test_every_name_is_found_again(name: str) -> None:
    assert parse_target(f"/v2/{name}/tags/list") == TagList(name)
    assert parse_target(f"/v2/{quote(name, safe='')}/manifests/v1") == ManifestAt(name, "v1", None)


@given(st.text(max_size=300), st.text(max_size=100))
def test_nothing_unclean_comes_through(name: str, rest: str) -> None:
    for path in (f"/v2/{name}/{rest}", quote(f"/v2/{name}/blobs/{rest}"), f"/v2/{name}/manifests/{rest}"):
        try:
            target = parse_target(path)
        except Refusal:
            continue
        if isinstance(target, InRepository):
            parts = target.name.split("/")
            assert all(part and part.isascii() and set(part) != {"."} for part in parts)
            assert ".." not in target.name
            assert len(target.name) <= 255
        assert "\0" not in repr(target)
