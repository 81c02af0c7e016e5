"""S-05 and S-06: bombs, cuts, flips and garbage in every format; sound streams come out whole."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from havre.snapshots.budget import BadArchive, TooLarge
from havre.snapshots.compression import Compression, Decompressed, compressed, detect

DATA = os.urandom(300_000) + b"text " * 50_000
PACK: dict[Compression, Callable[[bytes], bytes]] = {
    Compression.GZIP: gzip.compress,
    Compression.ZSTD: lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
    Compression.XZ: lzma.compress,
    Compression.BZIP2: bz2.compress,
}
EACH = pytest.mark.parametrize("kind", list(PACK), ids=lambda kind: kind.value)
SKIPPABLE = b"\x5e\x2a\x4d\x18" + (7).to_bytes(4, "little") + b"7 bytes"


def inflate(data: bytes, step: int = 1 << 20, size: int = 1 << 20) -> bytes:
    class Drip(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, step))

    source = Decompressed(Drip(data))
    out = bytearray()
    while piece := source.read(size):
        assert len(piece) <= size
        out += piece
    assert source.read(size) == b""
    return bytes(out)


@EACH
@pytest.mark.parametrize("step", [1 << 20, 4099])
def test_round_trip(kind: Compression, step: int) -> None:
    packed = PACK[kind](DATA)
    assert Decompressed(io.BytesIO(packed)).compression is kind
    assert inflate(packed, step, 70_001) == DATA


@pytest.mark.parametrize("data", [b"", b"x", b"plain tar", b"\x1f\x8b", DATA, b"BZ", bytes(1000)])
def test_plain_streams_pass(data: bytes) -> None:
    assert detect(data[:6]) is Compression.NONE
    assert inflate(data) == data
    assert inflate(data, step=1 if len(data) < 100 else 4099) == data


@EACH
def test_streams_in_a_row_and_zeros_behind(kind: Compression) -> None:
    packed = PACK[kind](b"one") + PACK[kind](b"") + PACK[kind](b"two")
    assert inflate(packed) == b"onetwo"
    assert inflate(packed, step=1) == b"onetwo"
    assert inflate(packed + bytes(10_000)) == b"onetwo"


def test_zstd_frames_of_user_data_are_passed_over() -> None:
    packed = PACK[Compression.ZSTD](b"data")
    for whole in (SKIPPABLE + packed, packed + SKIPPABLE, packed + SKIPPABLE + packed + SKIPPABLE):
        assert inflate(whole, step=3) == b"data" * whole.count(packed)


@EACH
def test_cut_streams_are_refused(kind: Compression) -> None:
    packed = PACK[kind](DATA)
    for cut in (7, 20, len(packed) // 2, len(packed) - 9, len(packed) - 1):
        with pytest.raises(BadArchive):
            inflate(packed[:cut])


@EACH
def test_flipped_bits_are_refused(kind: Compression) -> None:
    packed = PACK[kind](DATA)
    for at in (len(packed) // 3, len(packed) // 2, len(packed) - 5, len(packed) - 2):
        damaged = bytearray(packed)
        damaged[at] ^= 0x10
        with pytest.raises(BadArchive):
            inflate(bytes(damaged))


@EACH
@pytest.mark.parametrize("garbage", [b"garbage that goes on", b"\0\0\0x", b"\x1f"])
def test_garbage_behind_is_refused(kind: Compression, garbage: bytes) -> None:
    with pytest.raises(BadArchive):
        inflate(PACK[kind](DATA) + garbage)


def test_another_format_behind_is_refused() -> None:
    with pytest.raises(BadArchive):
        inflate(gzip.compress(b"a") + bz2.compress(b"b"))


def test_nested_compression_is_not_followed() -> None:
    inner = gzip.compress(DATA)
    assert inflate(gzip.compress(inner)) == inner


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: gzip.compress(bytes(300 << 20), 9),
    "gzip in many members": lambda: gzip.compress(bytes(1 << 20), 9) * 300,
    "zstd": lambda: zstd.compress(bytes(300 << 20)),
    "xz": lambda: lzma.compress(bytes(300 << 20), preset=0),
    "bzip2": lambda: bz2.compress(bytes(100 << 20)),
}


@pytest.mark.parametrize("bomb", list(BOMBS))
def test_bombs_are_refused_in_little_memory(bomb: str) -> None:
    packed = BOMBS[bomb]()
    source = Decompressed(io.BytesIO(packed))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            sum(map(len, iter(lambda: source.read(1 << 20), b"")))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20


def test_the_ratio_is_not_asked_of_little_streams() -> None:
    assert len(inflate(gzip.compress(bytes(60 << 20), 9))) == 60 << 20


def wide_zstd() -> bytes:
    encoder = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 30})
    return encoder.compress(b"x" * 1000, zstd.ZstdCompressor.FLUSH_BLOCK) + encoder.flush()


def wide_xz() -> bytes:
    packed = lzma.compress(b"x" * 1000, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 20}])
    # The size of the dictionary is one byte of the block header, which has a checksum of its own (xz-file-format, 3.1).
    header = bytearray(packed[12 : 12 + (packed[12] + 1) * 4])
    at = header.index(b"\x21\x01") + 2
    header[at] = 36
    header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "little")
    return packed[:12] + bytes(header) + packed[12 + len(header) :]


@pytest.mark.parametrize("make", [wide_zstd, wide_xz])
def test_windows_over_128_mebibytes_are_refused_before_they_are_made(make: Callable[[], bytes]) -> None:
    script = (
        "import resource,sys,io\n"
        "from havre.snapshots.compression import Decompressed\n"
        "from havre.snapshots.budget import BadArchive\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    Decompressed(io.BytesIO(sys.stdin.buffer.read())).read(1 << 20)\n"
        "except BadArchive:\n    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
    done = subprocess.run(
        [sys.executable, "-c", script], input=make(), check=True, capture_output=True, env=environment
    )
    assert int(done.stdout) < 64 << 10


def test_a_window_of_64_mebibytes_is_taken() -> None:
    packed = lzma.compress(DATA, preset=9)
    assert inflate(packed) == DATA


def test_empty_streams_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("havre.snapshots.compression._MAX_STREAMS", 1000)
    assert inflate(gzip.compress(b"") * 1000) == b""
    with pytest.raises(TooLarge):
        inflate(gzip.compress(b"") * 1001)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(list(PACK)),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6),
    st.integers(0, 400),
)
def test_altered_streams_inflate_or_are_refused(kind: Compression, changes: list[tuple[int, int]], cut: int) -> None:
    packed = bytearray(PACK[kind](b"some bytes to pack " * 20 + bytes(range(256))))
    for at, value in changes:
        packed[at % len(packed)] = value
    with contextlib.suppress(BadArchive):
        inflate(bytes(packed[: len(packed) - cut % len(packed)]))


@pytest.mark.parametrize("kind", [Compression.GZIP, Compression.ZSTD, Compression.NONE])
def test_what_we_pack_is_stable_and_can_be_read(kind: Compression) -> None:
    pieces = [DATA[at : at + 100_000] for at in range(0, len(DATA), 100_000)]
    packed = b"".join(compressed(pieces, kind))
    assert packed == b"".join(compressed(iter(pieces), kind))
    assert inflate(packed) == DATA
    if kind is Compression.GZIP:
        assert gzip.decompress(packed) == DATA
        assert packed[4:8] == bytes(4)  # no time in the header
