from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput
from havre.images.platforms import choose, fits, format_platform, host_platform, is_attestation, parse_platform
from havre.oci.descriptor import OCI_MANIFEST, Descriptor, Platform


def linux(text: str) -> Platform:
    architecture, _, variant = text.partition("/")
    return Platform(architecture=architecture, os="linux", variant=variant)


def offer(text: str, name: str = "") -> Descriptor:
    platform = linux(text) if text else None
    return Descriptor(media_type=OCI_MANIFEST, digest=name or text, size=1, platform=platform)


def test_this_machine() -> None:
    assert host_platform().os == "linux"
    assert fits(host_platform(), host_platform()) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", linux("amd64")),
        ("linux/arm/v7", linux("arm/v7")),
        ("LINUX/AARCH64", linux("arm64")),
        ("arm64", linux("arm64")),
        ("x86_64", linux("amd64")),
        ("windows/amd64", Platform(architecture="amd64", os="windows")),
    ],
)
def test_parsed(text: str, expected: Platform) -> None:
    if "_" in text:
        with pytest.raises(InvalidInput):
            parse_platform(text)
    else:
        assert parse_platform(text) == expected


@pytest.mark.parametrize(
    "text", ["", "/", "linux/", "linux/amd64/", "a/b/c/d", "linux/am d64", "li\0nux/x", "plan9", "../x"]
)
def test_no_platform(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_platform(text)


@pytest.mark.parametrize(
    ("offers", "wanted", "chosen"),
    [
        (["arm64", "amd64"], "amd64", "amd64"),
        (["arm64", "s390x"], "amd64", None),
        (["arm/v6", "arm/v7"], "arm/v7", "arm/v7"),
        (["arm/v5", "arm/v6"], "arm/v7", "arm/v6"),
        (["arm/v8"], "arm/v7", None),
        (["arm64/v8"], "arm64", "arm64/v8"),
        (["arm64"], "arm64/v8", "arm64"),
        (["amd64/v3", "amd64"], "amd64", "amd64"),
        (["amd64/v3", "amd64/v2"], "amd64/v3", "amd64/v3"),
        (["arm", "arm/v6"], "arm/v6", "arm/v6"),
        (["", "amd64"], "amd64", "amd64"),
    ],
)
def test_the_best_is_chosen(offers: list[str], wanted: str, chosen: str | None) -> None:
    found = choose([offer(one, one or "none") for one in offers], linux(wanted))
    assert (found.digest if found else None) == chosen


def test_what_tells_no_platform_is_the_last_resort() -> None:
    found = choose([offer("arm64"), offer("", "unknown")], linux("amd64"))
    assert found is not None
    assert found.digest == "unknown"


def test_attestations() -> None:
    statement = Descriptor(
        media_type=OCI_MANIFEST, digest="x", size=1, platform=Platform(architecture="unknown", os="unknown")
    )
    assert is_attestation(statement)
    assert not is_attestation(offer("amd64"))
    assert not is_attestation(offer(""))


def test_written() -> None:
    assert format_platform(linux("arm/v7")) == "linux/arm/v7"
    assert format_platform(linux("amd64")) == "linux/amd64"
