"""The reader against GNU tar and Python's tarfile in every format, and against archives that lie."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from havre.snapshots.budget import BadArchive, Budget, TooLarge
from havre.snapshots.tar import Kind, Member, TarReader
from tests.support.tars import Entry, archive, file, folder, hardlink, long_name, pax_record, with_tarfile

Read = list[tuple[Member, bytes]]


def read(data: bytes, budget: Budget | None = None, step: int = 1 << 20) -> Read:
    class Drip(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, step))

    reader = TarReader(Drip(data), budget)
    found: Read = []
    for member in reader:
        content = bytearray()
        for offset, piece in reader.pieces():
            content += bytes(offset - len(content))
            content += piece
        found.append((member, bytes(content) + bytes(member.size - len(content))))
    return found


def as_tarfile_sees(data: bytes) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as tar:
        for info in tar:
            stream = tar.extractfile(info) if info.isreg() else None
            found.append(
                (
                    info.name.rstrip("/"),
                    info.mode & 0o7777,
                    info.uid,
                    info.gid,
                    info.size if info.isreg() else 0,
                    int(info.mtime // 1),
                    info.linkname,
                    stream.read() if stream else b"",
                )
            )
    return found


def as_we_see(data: bytes) -> list[tuple[object, ...]]:
    return [
        (
            member.name.rstrip("/"),
            member.mode,
            member.uid,
            member.gid,
            member.size,
            member.mtime_ns // 10**9,
            member.link.decode("utf-8", "surrogateescape"),
            content,
        )
        for member, content in read(data)
    ]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    (root / "plain").write_bytes(b"hello\n" * 300)
    (root / "empty").touch()
    (root / ("n" * 120)).write_bytes(b"long name")
    deep = root.joinpath(*["d" * 60] * 5)
    deep.mkdir(parents=True)
    (deep / ("f" * 101)).write_bytes(b"deep")
    (root / "sticky").mkdir()
    (root / "sticky").chmod(0o1777)
    (root / "suid").touch()
    (root / "suid").chmod(0o4755)
    os.link(root / "plain", root / "hard")
    (root / "sym").symlink_to("../outside")
    (root / "longsym").symlink_to("t" * 300)
    os.mkfifo(root / "fifo")
    (root / "unié ☃").write_bytes(b"snow")
    with (root / "bad\udcff\udcfename").open("wb") as out:
        out.write(b"not utf-8")
    with (root / "sparse").open("wb") as out:
        for at in (0, 1 << 20, 5 << 20):
            out.seek(at)
            out.write(os.urandom(5000))
        out.truncate(9 << 20)
    with (root / "manyholes").open("wb") as out:
        for at in range(0, 200 * 65536, 65536):
            out.seek(at)
            out.write(b"x" * 4096)
    os.utime(root / "plain", ns=(1_500_000_000_123_456_789, 1_500_000_000_123_456_789))
    os.utime(root / "empty", ns=(-5_000_000_001, -5_000_000_001))
    return root


FORMATS = [
    ("v7",),
    ("oldgnu",),
    ("gnu",),
    ("gnu", "--sparse"),
    ("oldgnu", "--sparse"),
    ("ustar",),
    ("posix",),
    ("posix", "--sparse", "--sparse-version=0.0"),
    ("posix", "--sparse", "--sparse-version=0.1"),
    ("posix", "--sparse", "--sparse-version=1.0"),
    ("posix", "--pax-option=globexthdr.name=g,mtime:=12345.5,comment=hi"),
]


@pytest.mark.parametrize("format_", FORMATS, ids=" ".join)
def test_what_gnu_tar_writes_is_read_as_tarfile_reads_it(tree: Path, format_: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["tar", "--sort=name", "-C", str(tree), "-cf", "-", "-H", *format_, "."], check=False, capture_output=True
    )
    data = done.stdout  # v7 and ustar leave out what they cannot hold, and say so with exit code 2
    assert len(data) > 10_000
    ours = as_we_see(data)
    assert ours == as_tarfile_sees(data)
    assert read(data, step=511) == read(data)


def test_times_and_sparse_files_are_exact(tree: Path) -> None:
    data = subprocess.run(
        ["tar", "-C", str(tree), "-cSf", "-", "-H", "posix", "plain", "empty", "sparse", "manyholes"],
        check=True,
        capture_output=True,
    ).stdout
    found = {member.name: (member, content) for member, content in read(data)}
    assert found["plain"][0].mtime_ns == 1_500_000_000_123_456_789
    assert found["empty"][0].mtime_ns == -5_000_000_001
    for name in ("sparse", "manyholes"):
        member, content = found[name]
        assert content == (tree / name).read_bytes()
        assert member.stored < member.size
        assert member.segments


names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=80)
paths = st.lists(names, min_size=1, max_size=6).map("/".join)
infos = st.builds(
    lambda path, kind, mode, uid, gid, mtime, link, data: (
        path,
        kind,
        mode,
        uid,
        gid,
        mtime,
        link,
        data,
    ),
    paths,
    st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]),
    st.integers(0, 0o7777),
    st.integers(0, 2**32 - 2),
    st.integers(0, 2**32 - 2),
    st.integers(0, 2**40),
    paths,
    st.binary(max_size=2000),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]), st.lists(infos, max_size=6))
def test_what_tarfile_writes_is_read_as_it_was_meant(format_: int, wanted: list[tuple[object, ...]]) -> None:
    members = []
    for path, kind, mode, uid, gid, mtime, link, data in wanted:
        info = tarfile.TarInfo(str(path))
        info.type = kind  # type: ignore[assignment]  # bytes, by the strategy
        info.mode, info.uid, info.gid, info.mtime = mode, uid, gid, mtime  # type: ignore[assignment]  # as above
        info.linkname = str(link) if kind in {tarfile.SYMTYPE, tarfile.LNKTYPE} else ""
        members.append((info, data if kind == tarfile.REGTYPE else b""))
    found = read(with_tarfile(format_, members))  # type: ignore[arg-type]  # as above
    assert len(found) == len(members)
    for (member, content), (info, data) in zip(found, members, strict=True):
        assert member.path.rstrip(b"/") == info.name.encode().rstrip(b"/") or info.isdir()
        assert (member.mode, member.uid, member.gid) == (info.mode, info.uid, info.gid)
        assert member.mtime_ns == info.mtime * 10**9
        assert member.link == info.linkname.encode()
        assert content == data


# -- S-05: archives that ask for too much


def huge(kind: bytes = b"0", size: bytes = b"") -> bytes:
    return archive(Entry(b"x", kind, size=size))


@pytest.mark.parametrize(
    "size",
    [
        b"77777777777\0",  # 8 GiB that are not there
        b"\xff" * 12,  # minus one
        b"\x80" + b"\0" * 2 + b"\x80" + b"\0" * 8,  # 2^63
        b"\x80" + b"\xff" * 11,
        b"\x80\0\0\0" + (10**15).to_bytes(8, "big"),  # a petabyte
        b"-0000000001\0",
        b"1_000000000\0",
        b"0x000000010\0",
        b"+0000000010\0",
        b"00000000008\0",
    ],
)
def test_impossible_sizes_are_refused(size: bytes) -> None:
    with pytest.raises(BadArchive):
        read(huge(size=size))


@pytest.mark.parametrize("value", [b"-1", b"9223372036854775808", b"1" * 30, b"1e9", b"0x10", b" 5", b"5 ", b"1_0"])
@pytest.mark.parametrize("key", [b"size", b"uid", b"gid"])
def test_impossible_numbers_in_pax_are_refused(key: bytes, value: bytes) -> None:
    with pytest.raises(BadArchive):
        read(archive(Entry(b"x", pax={key: value})))


@pytest.mark.parametrize("value", [b"", b"-", b"nan", b"inf", b"1e400", b"1.2.3", b"9" * 25, b"1,5", b"0x1"])
def test_impossible_times_are_refused(value: bytes) -> None:
    entry = Entry(b"x", pax={b"mtime": value})
    if value == b"":
        assert len(read(archive(entry))) == 1  # an empty value takes a record back
        return
    with pytest.raises(BadArchive):
        read(archive(entry))


def test_owners_that_chown_would_misread_are_refused() -> None:
    for key in (b"uid", b"gid"):
        with pytest.raises(BadArchive):
            read(archive(Entry(b"x", pax={key: b"4294967295"})))
        assert read(archive(Entry(b"x", pax={key: b"4294967294"})))


def test_members_are_counted() -> None:
    data = archive(*[file(f"f{n}") for n in range(11)])
    assert len(read(data, Budget(members=11))) == 11
    with pytest.raises(TooLarge):
        read(data, Budget(members=10))
    endless = Entry(b"x", b"x", pax_record(b"comment", b"x")).blocks() * 20
    with pytest.raises(TooLarge):
        read(archive(endless), Budget(members=10))


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K", b"X"])
def test_a_header_of_64_megabytes_is_refused_unread(kind: bytes) -> None:
    class Counting(io.BytesIO):
        given = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            Counting.given += len(data)
            return data

    data = Entry(b"x", kind, size=b"%011o\0" % (64 << 20)).blocks() + bytes(64 << 20)
    with pytest.raises(TooLarge):
        list(TarReader(Counting(data)))
    assert Counting.given < 1 << 20


def test_the_sum_of_claimed_sizes_is_bounded() -> None:
    sparse = {b"GNU.sparse.map": b"", b"GNU.sparse.size": b"600"}
    data = archive(Entry(b"a", pax=sparse), Entry(b"b", pax=sparse))
    assert len(read(data, Budget(stream_bytes=1200))) == 2
    with pytest.raises(TooLarge):
        read(data, Budget(stream_bytes=1199))


@pytest.mark.parametrize("size", [b"1000000000000000", b"9223372036854775807"])
def test_a_sparse_petabyte_is_refused(size: bytes) -> None:
    with pytest.raises(TooLarge):
        read(archive(Entry(b"a", pax={b"GNU.sparse.map": b"", b"GNU.sparse.size": size})))


@pytest.mark.parametrize(
    "text",
    [b"0,5,3,5", b"5,5,0,5", b"0,11", b"0,1", b"0", b"-1,5", b"0,5,,", b"x,y", b"0,5,9999999999999999999,5"],
)
def test_impossible_sparse_maps_are_refused(text: bytes) -> None:
    with pytest.raises(BadArchive):
        read(archive(Entry(b"a", data=b"0123456789", pax={b"GNU.sparse.map": text, b"GNU.sparse.size": b"20"})))


def test_too_long_names_are_refused() -> None:
    for path in (b"a" * 256, b"/".join([b"d" * 200] * 21)):
        with pytest.raises(TooLarge):
            read(archive(Entry(b"x", pax={b"path": path})))
        with pytest.raises(TooLarge):
            read(archive(long_name(b"L", path), file("x")))
    with pytest.raises(TooLarge):
        read(archive(Entry(b"x", b"2", pax={b"linkpath": b"l" * 5000})))


def test_names_no_file_can_have_are_refused() -> None:
    for entry in (Entry(b""), Entry(b"x", pax={b"path": b"a\0b"}), Entry(b"x", b"2", pax={b"linkpath": b"a\0b"})):
        with pytest.raises(BadArchive):
            read(archive(entry))


@pytest.mark.parametrize("kind", [b"M", b"N", b"A", b"Z", b"8", b"\xff"])
def test_unknown_members_are_refused(kind: bytes) -> None:
    with pytest.raises(BadArchive):
        read(archive(Entry(b"x", kind)))


def test_cut_archives_are_refused() -> None:
    data = archive(file("a", b"x" * 1000), long_name(b"L", b"y" * 150), file("b", b"z" * 100))
    whole = read(data)
    for cut in range(1, len(data) - 1024, 97):
        if cut % 512:
            with pytest.raises(BadArchive):
                read(data[:cut])
    assert read(data[:-1024]) == whole  # the end mark itself may be missing
    assert read(data[:-512]) == whole
    with pytest.raises(BadArchive):
        read(data[: -1024 - 1024])  # ends after an extended header


def test_data_after_half_an_end_mark_is_refused() -> None:
    with pytest.raises(BadArchive):
        read(bytes(512) + file("x").blocks())
    assert read(b"") == []
    assert read(bytes(10240)) == []


def test_a_wrong_checksum_is_refused_and_a_signed_one_taken() -> None:
    data = bytearray(archive(file("x")))
    data[0] ^= 1
    with pytest.raises(BadArchive):
        read(bytes(data))
    entry = bytearray(Entry("é".encode()).blocks())
    total = sum(b - 256 if b > 127 else b for b in entry[:148] + b" " * 8 + entry[156:])
    entry[148:156] = b"%06o\0 " % total
    assert read(bytes(entry))[0][0].path == "é".encode()


def test_v7_folders_end_with_a_slash() -> None:
    for kind in (b"\0", b"0"):
        member, _ = read(archive(Entry(b"dir/", kind, magic=bytes(8))))[0]
        assert member.kind is Kind.FOLDER


def test_header_only_members_have_no_data() -> None:
    size = b"%011o\0" % 4096
    data = archive(folder("d", size=size), Entry(b"h", b"1", link=b"x", size=size), file("f", b"data"))
    assert [m.name for m, _ in read(data)] == ["d", "h", "f"]


def test_gnu_names_win_over_pax_as_in_go() -> None:
    entry = Entry(b"short", pax={b"path": b"from pax"}).blocks()
    assert read(archive(long_name(b"L", b"from gnu"), entry))[0][0].path == b"from gnu"


def test_global_records_last_until_they_are_taken_back() -> None:
    data = archive(
        Entry(b"g", b"g", pax_record(b"uid", b"7") + pax_record(b"mtime", b"3.25")),
        file("a"),
        Entry(b"b", pax={b"uid": b"8"}),
        Entry(b"g", b"g", pax_record(b"uid", b"")),
        file("c", uid=5),
    )
    assert [(m.uid, m.mtime_ns) for m, _ in read(data)] == [
        (7, 3_250_000_000),
        (8, 3_250_000_000),
        (5, 3_250_000_000),
    ]


def test_xattrs_of_both_dialects() -> None:
    value = b"\x01\0\xff=\n"
    entry = Entry(b"x", pax={b"SCHILY.xattr.user.a": value, b"LIBARCHIVE.xattr.user.b%20c": b"AQD/PQo"})
    assert read(archive(entry))[0][0].xattrs == {b"user.a": value, b"user.b c": value}


def test_a_volume_label_is_passed_over() -> None:
    assert [m.name for m, _ in read(archive(Entry(b"label", b"V"), file("a")))] == ["a"]


def test_one_file_read_whole_within_a_limit() -> None:
    reader = TarReader(io.BytesIO(archive(file("a", b"x" * 100), file("b"))))
    reader.next()
    with pytest.raises(TooLarge):
        reader.read(99)
    assert reader.read(100) == b"x" * 100
    following = reader.next()
    assert following is not None
    assert following.name == "b"


def test_data_may_be_passed_over_or_left_half_read() -> None:
    reader = TarReader(io.BytesIO(archive(file("a", b"x" * 700_000), file("b", b"y" * 700_000), hardlink("c", "a"))))
    seen = []
    for member in reader:
        seen.append(member.name)
        if member.name == "b":
            next(reader.pieces())
    assert seen == ["a", "b", "c"]


# -- fuzz: any bytes give members or BadArchive, quickly and in little memory


def gather(data: bytes) -> None:
    reader = TarReader(io.BytesIO(data), Budget(stream_bytes=1 << 20, members=1000))
    try:
        for _ in reader:
            for _ in reader.pieces():
                pass
    except BadArchive:
        pass


def checksummed(block: bytes) -> bytes:
    raw = block[:148] + b" " * 8 + block[156:]
    return raw[:148] + b"%06o\0 " % sum(raw) + raw[156:]


field_bytes = st.one_of(st.binary(min_size=512, max_size=512), st.just(file("name", b"").blocks()))
mutations = st.lists(st.tuples(st.integers(0, 511), st.binary(min_size=1, max_size=14)), max_size=8)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(field_bytes, mutations, st.booleans()), max_size=6), st.binary(max_size=600))
def test_any_headers_are_members_or_refused(
    blocks: list[tuple[bytes, list[tuple[int, bytes]], bool]], rest: bytes
) -> None:
    data = b""
    for block, changes, sound in blocks:
        mutated = bytearray(block)
        for at, value in changes:
            mutated[at : at + len(value)] = value[: 512 - at]
        data += checksummed(bytes(mutated[:512])) if sound else bytes(mutated[:512])
    gather(data + rest)


valid: list[Callable[[], bytes]] = [
    lambda: archive(Entry(b"x", data=b"0123456789", pax={b"path": b"p", b"size": b"10", b"mtime": b"1.5"})),
    lambda: archive(Entry(b"x", data=b"0123456789", pax={b"GNU.sparse.map": b"0,5,9,5", b"GNU.sparse.size": b"20"})),
    lambda: archive(
        Entry(
            b"x",
            data=b"1\n5\n4\n".ljust(512, b"\0") + b"data",
            pax={b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.realsize": b"9"},
        )
    ),
    lambda: archive(long_name(b"L", b"n" * 200), file("x"), hardlink("y", "x")),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(valid), st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), max_size=12))
def test_altered_archives_are_members_or_refused(make: Callable[[], bytes], changes: list[tuple[int, int]]) -> None:
    data = bytearray(make())
    for at, value in changes:
        data[at % len(data)] = value
    gather(bytes(data))
    gather(b"".join(checksummed(bytes(data[at : at + 512])) for at in range(0, len(data), 512)))
