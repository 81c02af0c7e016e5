"""The decoder on what it should never see: L-03."""

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from havre.logs.entries import ENTRY_LIMIT, Decoder, LogLine

LINE = b'{"log":"hello\\n","stream":"stdout","time":"2026-11-23T22:18:25.123456789Z"}\n'
VALUE = LogLine(1_795_472_305_123_456_789, 1, b"hello\n", False)


def test_a_line() -> None:
    assert Decoder().feed(LINE) == [VALUE]


def test_a_partial_line_with_attributes_of_stderr() -> None:
    raw = b'{"log":"part","stream":"stderr","attrs":{"a":"b"},"time":"2026-11-23T22:18:25Z"}\n'
    assert Decoder().feed(raw) == [LogLine(1_795_472_305_000_000_000, 2, b"part", True, {"a": "b"})]


def test_times_of_other_forms() -> None:
    for text, expected in (
        ("2026-11-23T23:18:25.5+01:00", 1_795_472_305_500_000_000),
        ("2026-11-23T22:18:25.000000001Z", 1_795_472_305_000_000_001),
        ("2026-11-23T22:18:25.1234567891234Z", 1_795_472_305_123_456_789),
    ):
        raw = json.dumps({"log": "x\n", "stream": "stdout", "time": text}).encode() + b"\n"
        assert [line.time_ns for line in Decoder().feed(raw)] == [expected]


@given(st.lists(st.integers(0, 3 * len(LINE)), max_size=8))
def test_pieces_make_no_difference(cuts: list[int]) -> None:
    decoder, data, found = Decoder(), LINE * 3, []
    bounds = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(bounds):
        found += decoder.feed(data[start:end])
    assert found == [VALUE] * 3


@given(st.lists(st.one_of(st.just(LINE), st.binary(max_size=80), st.integers(0, len(LINE)).map(lambda n: LINE[:n]))))
def test_garbage_and_cut_lines_end_with_their_line(pieces: list[bytes]) -> None:
    decoder = Decoder()
    data = b"".join(piece + (b"" if piece.endswith(b"\n") else b"\n") for piece in pieces)
    found = decoder.feed(data)
    assert found.count(VALUE) >= pieces.count(LINE)
    assert decoder.feed(LINE) == [VALUE]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["log", "stream", "time", "attrs"]), inner),
    )
)
def test_json_of_another_shape_is_passed_over(value: object) -> None:
    for line in Decoder().feed(json.dumps(value).encode() + b"\n"):
        assert isinstance(line, LogLine)


def test_times_that_are_none_are_passed_over() -> None:
    for text in (
        "",
        "now",
        "2026",
        "2026-11-23T22:18:25",
        "9" * 30,
        "2026-99-99T22:18:25.1Z",
        "٢026-11-23T22:18:25.1Z",
        "2026-11-23T22:18:25.Z",
    ):
        raw = json.dumps({"log": "x\n", "stream": "stdout", "time": text}).encode() + b"\n"
        assert len(Decoder().feed(raw + LINE)) in {1, 2}


def test_deep_nesting_is_passed_over() -> None:
    assert Decoder().feed(b"[" * 100_000 + b"\n" + b'{"a":' * 100_000 + b"\n" + LINE) == [VALUE]


def test_an_endless_line_takes_no_memory() -> None:
    decoder = Decoder()
    for _ in range(40):
        assert decoder.feed(b"x" * (ENTRY_LIMIT // 4)) == []
    assert decoder.feed(b"the end\n" + LINE) == [VALUE]
    assert len(decoder._rest) == 0


def test_another_file_begins_afresh() -> None:
    decoder = Decoder()
    assert decoder.feed(LINE[:20]) == []
    decoder.reset()
    assert decoder.feed(LINE) == [VALUE]
