"""Extended headers: round trips, and anything else is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from havre.snapshots import pax
from havre.snapshots.budget import BadArchive
from tests.support.tars import pax_record

keys = st.binary(min_size=1, max_size=40).filter(
    lambda k: b"=" not in k and b"\0" not in k and not k.startswith((b"GNU.sparse.", b"LIBARCHIVE."))
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(keys, st.binary(max_size=200), max_size=8))
def test_what_is_written_is_read(records: dict[bytes, bytes]) -> None:
    assert pax.parse(b"".join(pax_record(k, v) for k, v in records.items())) == records


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text("0123456789 =\n.ax", max_size=60).map(str.encode)))
def test_any_bytes_are_records_or_refused(data: bytes) -> None:
    with contextlib.suppress(BadArchive):
        pax.parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"5",
        b"0 a=b\n",
        b"3 a=b\n",
        b"7 a=b\n",
        b"6 a=b ",
        b"6 a b\n",
        b"5 =b\n",
        b"999999999999999999999 a=b\n",
        b"+6 a=b\n",
        b"-6 a=b\n",
        "٦ a=b\n".encode(),
        b"8 a\0=bb\n",
        b"\n",
    ],
)
def test_bad_records(data: bytes) -> None:
    with pytest.raises(BadArchive):
        pax.parse(data)


def test_the_last_of_equal_keys_counts() -> None:
    assert pax.parse(b"6 a=1\n6 a=2\n") == {b"a": b"2"}


def test_sparse_format_0_0_becomes_0_1() -> None:
    pairs = b"".join(
        pax_record(b"GNU.sparse.offset", o) + pax_record(b"GNU.sparse.numbytes", n)
        for o, n in [(b"0", b"5"), (b"9", b"1")]
    )
    assert pax.parse(pairs) == {pax.SPARSE_MAP: b"0,5,9,1"}
    with pytest.raises(BadArchive):
        pax.parse(pax_record(b"GNU.sparse.numbytes", b"1"))


@settings(max_examples=200, deadline=None)
@given(st.integers(-(10**18), 10**18))
def test_times(value: int) -> None:
    sign, positive = (b"-", -value) if value < 0 else (b"", value)
    assert pax.time_ns(sign + b"%d.%09d" % divmod(positive, 10**9)) == value


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=30))
def test_any_bytes_are_times_or_refused(data: bytes) -> None:
    for parse in (pax.time_ns, pax.whole):
        with contextlib.suppress(BadArchive):
            parse(data)
