"""`--cache-from` and `--cache-to` as they are written."""

from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput, NotSupported
from havre.build.cache_places import CacheKind, CachePlace, parse_place

REGISTRY, LOCAL = CacheKind.REGISTRY, CacheKind.LOCAL


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("app", CachePlace(kind=REGISTRY, name="docker.io/library/app:latest")),
        ("type=registry,ref=h:5/a:c", CachePlace(kind=REGISTRY, name="h:5/a:c", tag="latest")),
        (
            "type=registry,ref=h.io/a:c,mode=max,ignore-error=true,oci-mediatypes=true",
            CachePlace(kind=REGISTRY, name="h.io/a:c", tag="latest", whole=True, lenient=True),
        ),
        ('type=local,"src=a,b"', CachePlace(kind=LOCAL, name="a,b", tag="latest")),
        ("type=local,dest=d,tag=x", CachePlace(kind=LOCAL, name="d", tag="x")),
        ("type=inline", CachePlace(kind=CacheKind.INLINE, tag="latest")),
    ],
)
def test_places(text: str, place: CachePlace) -> None:
    assert parse_place(text) == place


def test_a_name_alone_is_what_the_door_says() -> None:
    assert parse_place("app", default=CacheKind.IMAGE).kind is CacheKind.IMAGE


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("type=registry", "needs ref"),
        ("type=local", "needs src or dest"),
        ("type=registry,ref=a,mode=most", "unknown mode"),
        ("type=registry,ref=a,size=1", "unexpected"),
        ("type=registry,ref=a,x", "unexpected"),
        ("type=registry,ref=A A", "invalid reference"),
        ("UPPER", "must be lowercase"),
    ],
)
def test_what_is_none(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        parse_place(text)


@pytest.mark.parametrize("kind", ["gha", "s3", "azblob", ""])
def test_services_that_are_not_asked(kind: str) -> None:
    with pytest.raises(NotSupported, match="use registry, local or inline"):
        parse_place(f"type={kind},ref=x")
