"""The journald driver with a real systemd-journald; once more on the reference, so the test itself is tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.engines import Engine, Havre, Reference, running
from tests.support.hosts import Host
from tests.support.journal import JOURNALD, Entry, Journal, own_journal

pytestmark = [pytest.mark.root, pytest.mark.skipif(not JOURNALD.exists(), reason="there is no systemd-journald here")]

_LINES = 5_000
_PIECE = 16 << 10


class _HavreThere(Havre):
    journal: Journal

    def command(self) -> list[str]:
        return self.journal.before(super().command())


class _ReferenceThere(Reference):
    journal: Journal

    def command(self) -> list[str]:
        return self.journal.before(super().command())


@pytest.fixture(scope="module")
def journal(module_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    with own_journal(module_host, tmp_path_factory.mktemp("run")) as made:
        yield made


@pytest.fixture(
    scope="module",
    params=[_HavreThere, pytest.param(_ReferenceThere, marks=pytest.mark.reference)],
    ids=["havre", "reference"],
)
def engine(
    request: pytest.FixtureRequest,
    journal: Journal,
    module_host: Host,
    tmp_path_factory: pytest.TempPathFactory,
    rootfs_tar: bytes,
) -> Iterator[Engine]:
    made: _HavreThere | _ReferenceThere = request.param(module_host, tmp_path_factory.mktemp("engine"))
    made.journal = journal
    with running(made):
        made.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
        yield made


@pytest.fixture
def said(engine: Engine, journal: Journal) -> Callable[..., tuple[str, list[Entry]]]:
    """Runs a script to its end; its container's id, and its entries."""

    def run(script: str, count: int, *options: str) -> tuple[str, list[Entry]]:
        made = engine.out("create", "--net=none", "--log-driver=journald", *options, "busybox", "sh", "-c", script)
        engine.docker("start", "-a", made, check=True)
        return made, journal.wait_entries(count, f"CONTAINER_ID_FULL={made}")

    return run


def test_an_entry_has_the_fields_of_its_container(said: Callable[..., tuple[str, list[Entry]]]) -> None:
    options = ["--name=speaker", "--log-opt=tag={{.ImageName}}/{{.Name}}", "--log-opt=labels=com.x.role"]
    options += ["--label=com.x.role=front", "--log-opt=env=COLOUR", "--env=COLOUR=red\nand blue", "--env=OTHER=1"]
    made, entries = said("echo to out; echo; echo to err >&2; printf last", 4, *options)
    common = {
        "CONTAINER_ID": made[:12],
        "CONTAINER_ID_FULL": made,
        "CONTAINER_NAME": "speaker",
        "CONTAINER_TAG": "busybox/speaker",
        "SYSLOG_IDENTIFIER": "busybox/speaker",
        "IMAGE_NAME": "busybox",
        "COM_X_ROLE": "front",
        "COLOUR": "red\nand blue",
    }
    for entry in entries:
        assert common.items() <= entry.items()
        assert "OTHER" not in entry
    found = [(entry["MESSAGE"], entry["PRIORITY"], entry.get("CONTAINER_PARTIAL_MESSAGE")) for entry in entries]
    assert [each for each in found if each[1] == "6"] == [("to out", "6", None), ("", "6", None), ("last", "6", "true")]
    assert [each for each in found if each[1] == "3"] == [("to err", "3", None)]


def test_the_pieces_of_a_long_line_are_counted(said: Callable[..., tuple[str, list[Entry]]]) -> None:
    script = "head -c 40000 /dev/zero | tr '\\0' x; echo; echo short; head -c 20000 /dev/zero | tr '\\0' y; echo"
    _, entries = said(script, 6)
    assert [len(entry["MESSAGE"]) for entry in entries] == [
        _PIECE,
        _PIECE,
        40_000 - 2 * _PIECE,
        5,
        _PIECE,
        20_000 - _PIECE,
    ]
    parts = ("ORDINAL", "LAST", "MESSAGE")
    assert [tuple(entry.get(f"CONTAINER_PARTIAL_{part}") for part in parts) for entry in entries] == [
        ("1", "false", "true"),
        ("2", "false", "true"),
        ("3", "true", None),
        (None, None, None),
        ("1", "false", "true"),
        ("2", "true", None),
    ]
    first, *others = (entry.get("CONTAINER_PARTIAL_ID") for entry in entries)
    assert first
    assert others[:3] == [first, first, None]
    assert others[3] == others[4] != first


def test_no_line_of_many_is_lost(said: Callable[..., tuple[str, list[Entry]]]) -> None:
    _, entries = said(f"seq 1 {_LINES}", _LINES)
    assert [entry["MESSAGE"] for entry in entries] == [str(number) for number in range(1, _LINES + 1)]


def test_without_a_journal_no_container_starts(module_host: Host, tmp_path: Path, rootfs_tar: bytes) -> None:
    engine = _HavreThere(module_host, tmp_path / "engine")
    engine.journal = Journal(tmp_path)
    with running(engine):
        engine.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
        refused = engine.docker("run", "--net=none", "--log-driver=journald", "busybox", "true")
    assert refused.returncode == 125
    assert b"journald is not enabled on this host" in refused.stderr
