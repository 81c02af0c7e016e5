from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput
from havre.registry.client.endpoints import Endpoint, Mirror, endpoints_of, is_insecure, mirrors_of, parse_mirror
from havre.registry.client.settings import Settings


@pytest.mark.parametrize(
    ("text", "mirror"),
    [
        ("https://m.example", Mirror("docker.io", "https://m.example", "")),
        ("http://m.example:5000/", Mirror("docker.io", "http://m.example:5000", "")),
        ("ghcr.io=https://m.example/gh/cr", Mirror("ghcr.io", "https://m.example", "gh/cr")),
        ("ghcr.io/org=https://m.example", Mirror("ghcr.io/org", "https://m.example", "")),
    ],
)
def test_mirrors(text: str, mirror: Mirror) -> None:
    assert parse_mirror(text) == mirror


@pytest.mark.parametrize(
    "text", ["m.example", "ftp://m", "https://", "https://m/path", "https://m?q", "https://u:p@m", "x=y", "https://m:x"]
)
def test_what_is_no_mirror(text: str) -> None:
    with pytest.raises(InvalidInput, match="invalid mirror"):
        parse_mirror(text)


def test_the_most_particular_mirror_comes_first() -> None:
    settings = Settings(
        mirrors=("ghcr.io=https://a", "ghcr.io/org=https://b/copies", "https://hub", "ghcr.io/o=https://c")
    )
    assert mirrors_of(settings, "ghcr.io", "org/app") == [
        Endpoint("https://b", "copies/app", mirror=True),
        Endpoint("https://a", "org/app", mirror=True),
    ]
    assert mirrors_of(settings, "docker.io", "library/x") == [Endpoint("https://hub", "library/x", mirror=True)]
    assert mirrors_of(settings, "quay.io", "x") == []


def test_a_registry_is_asked_by_tls_alone() -> None:
    assert endpoints_of(Settings(), "r.example", "a/b") == [Endpoint("https://r.example", "a/b")]
    assert endpoints_of(Settings(), "docker.io", "library/x") == [Endpoint("https://registry-1.docker.io", "library/x")]


def test_an_insecure_one_by_tls_first() -> None:
    found = endpoints_of(Settings(), "localhost:5000", "a", ["127.0.0.1"])
    assert [(one.base, one.verify) for one in found] == [
        ("https://localhost:5000", False),
        ("http://localhost:5000", False),
    ]
    assert found[0].host == "localhost:5000"


@pytest.mark.parametrize(
    ("insecure", "domain", "addresses", "expected"),
    [
        ((), "127.0.0.1:5000", (), True),
        ((), "[::1]:5000", (), True),
        ((), "r.example", (), False),
        (("r.example",), "r.example:5000", (), True),
        (("r.example:5000",), "r.example:5000", (), True),
        (("r.example:5000",), "r.example:5001", (), False),
        (("http://r.example:5000",), "r.example:5000", (), True),
        (("10.0.0.0/8",), "10.1.2.3:5000", (), True),
        (("10.0.0.0/8",), "r.example", ("10.1.2.3",), True),
        (("10.0.0.0/8",), "r.example", ("11.1.2.3",), False),
    ],
)
def test_who_is_insecure(
    insecure: tuple[str, ...],
    domain: str,
    addresses: tuple[str, ...],
    expected: bool,  # noqa: FBT001
) -> None:
    assert is_insecure(Settings(insecure=insecure), domain, addresses) is expected
