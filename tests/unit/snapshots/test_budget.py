"""Counting and hashing on the way."""

from __future__ import annotations

import io

import pytest

from havre.oci.digest import Digest
from havre.snapshots.budget import Metered, TooLarge


def test_what_passes_is_counted_and_hashed() -> None:
    source = Metered(io.BytesIO(b"0123456789"), 10)
    assert source.read(4) == b"0123"
    source.drain()
    assert source.count == 10
    assert source.digest() == Digest.of(b"0123456789")


def test_more_than_the_limit_is_refused() -> None:
    with pytest.raises(TooLarge):
        Metered(io.BytesIO(b"0123456789"), 9).drain()
