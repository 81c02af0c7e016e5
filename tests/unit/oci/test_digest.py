from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.base.errors import InvalidInput
from havre.oci.digest import Digest, chain_id

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_digest_of_bytes() -> None:
    assert str(Digest.of(b"")) == EMPTY
    assert Digest.parse(EMPTY) == Digest.of(b"")


@pytest.mark.parametrize(("algorithm", "length"), [("sha256", 64), ("sha512", 128)])
def test_algorithms(algorithm: str, length: int) -> None:
    digest = Digest.parse(f"{algorithm}:{'0a' * (length // 2)}")
    assert (digest.algorithm, len(digest.value)) == (algorithm, length)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "sha256",
        "sha256:",
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "sha256:" + "A" * 64,
        "SHA256:" + "a" * 64,
        "sha256:" + "g" * 64,
        "sha256:" + "\u0660" * 64,
        "sha256:" + "a" * 63 + "\n",
        "sha256:" + "a" * 64 + "\n",
        " sha256:" + "a" * 64,
        "sha256:" + "../" * 21 + "a",
        "sha512:" + "a" * 64,
        "sha384:" + "a" * 96,
        "md5:" + "a" * 32,
        ":" + "a" * 64,
        "a" * 64,
        "sha256:sha256:" + "a" * 57,
        "x" * 10**5,
    ],
)
def test_what_is_no_digest(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^invalid digest: ") as caught:
        Digest.parse(text)
    assert len(caught.value.message) < 1000


@given(st.binary())
def test_a_digest_is_read_as_it_is_written(data: bytes) -> None:
    digest = Digest.of(data)
    assert digest.value == hashlib.sha256(data).hexdigest()
    assert Digest.parse(str(digest)) == digest


@given(st.text())
def test_any_text_is_a_digest_or_refused(text: str) -> None:
    try:
        assert str(Digest.parse(text)) == text
    except InvalidInput:
        return


def test_chains() -> None:
    first, second, third = (Digest.of(name) for name in (b"1", b"2", b"3"))
    assert chain_id(()) is None
    assert chain_id((first,)) == first
    two = Digest.of(f"{first} {second}".encode())
    assert chain_id((first, second)) == two
    assert chain_id((first, second, third)) == Digest.of(f"{two} {third}".encode())
    assert chain_id((second, first)) != two
