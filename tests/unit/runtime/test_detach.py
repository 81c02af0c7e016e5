"""Detach keys, found across any cut of what is typed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from havre.runtime.shim.detach import DetachKeys

KEYS = b"\x10\x11"


def typed(keys: bytes, *parts: bytes) -> tuple[bytes, bool]:
    scanner = DetachKeys(keys)
    passed = b""
    for part in parts:
        more, done = scanner.feed(part)
        passed += more
        if done:
            return passed, True
    return passed, False


def test_whole_and_split() -> None:
    assert typed(KEYS, b"ab\x10\x11cd") == (b"ab", True)
    assert typed(KEYS, b"ab\x10", b"\x11") == (b"ab", True)


def test_a_beginning_that_is_none_is_given_back() -> None:
    assert typed(KEYS, b"\x10", b"x") == (b"\x10x", False)
    assert typed(KEYS, b"\x10\x10", b"\x11") == (b"\x10", True)


def test_keys_that_overlap_themselves() -> None:
    assert typed(b"aab", b"aaab") == (b"a", True)
    assert typed(b"aba", b"abba") == (b"abb", False)
    assert typed(b"abab", b"ababab"[:3], b"c") == (b"abac", False)


def test_no_keys() -> None:
    assert typed(b"", b"\x10\x11") == (b"\x10\x11", False)


@given(st.binary(min_size=1, max_size=4), st.lists(st.binary(max_size=6), max_size=6))
def test_any_cut_is_like_none(keys: bytes, parts: list[bytes]) -> None:
    whole = b"".join(parts)
    passed, done = typed(keys, *parts)
    at = whole.find(keys)
    assert done == (at >= 0)
    if done:
        assert passed == whole[:at]
    else:
        assert whole.startswith(passed)
        assert keys.startswith(whole[len(passed) :])


@given(st.text("ab", min_size=1, max_size=4), st.lists(st.text("ab", max_size=3), max_size=6))
def test_any_cut_is_like_none_in_a_small_alphabet(keys: str, parts: list[str]) -> None:
    test_any_cut_is_like_none.hypothesis.inner_test(keys.encode(), [part.encode() for part in parts])  # type: ignore[attr-defined]
