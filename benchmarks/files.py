"""The verbs on a container's files: each takes an engine and gives seconds, by the Engine API.

Once with some thousand small files, once with a few big ones; each engine on an ext4 of its own.

python -m benchmarks.files [ROUNDS]
"""

from __future__ import annotations

import io
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.disks import fresh_disk
from benchmarks.raw import received
from tests.support.engines import Engine, Havre, Reference, running
from tests.support.hosts import new_host
from tests.support.http import Answer
from tests.support.images import busybox_tar

FILES, BIG = 3000, 3
_SMALL_BYTES, _BIG_BYTES = 2000, 32 << 20
_REST_S = 0.5


def main() -> None:
    """Measure both engines in turn, and print a table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with (
        tempfile.TemporaryDirectory(prefix="hvbench", ignore_cleanup_errors=True) as folder,
        new_host() as first,
        new_host() as second,
    ):
        print("| measure | Havre | reference | ratio |\n|---|---|---|---|", flush=True)
        for kind, big in ((f"{FILES} small files", False), (f"{BIG} files of 32 MiB", True)):
            with fresh_disk(Path(folder, "h")) as ours, fresh_disk(Path(folder, "r")) as theirs:
                havre, reference = Havre(first, ours / "engine"), Reference(second, theirs / "engine")
                with running(havre), running(reference):
                    for engine in (havre, reference):
                        engine.docker("import", "-", "busybox", stdin=busybox_tar(), check=True)
                    _compare(havre, reference, kind, tree("tree", big=big), rounds)


def _compare(havre: Engine, reference: Engine, kind: str, archive: bytes, rounds: int) -> None:
    measures: dict[str, Callable[[Engine, str], float]] = {
        "cp into a container": partial(cp_in, archive=archive),
        "cp out of a container": cp_out,
        "export": export,
        "diff": diff,
        "commit": commit,
        "commit, and a container of it": commit_and_create,
    }
    with container(havre, archive) as ours, container(reference, archive) as theirs:
        for name, measure in measures.items():
            both: tuple[list[float], list[float]] = ([], [])
            for number in range(rounds + 1):
                for engine, identifier, found in ((havre, ours, both[0]), (reference, theirs, both[1])):
                    time.sleep(_REST_S)  # what an engine does behind its answer is not the other's burden
                    took = measure(engine, identifier)
                    if number:
                        found.append(took)
            mine, other = (statistics.median(found) for found in both)
            shown = f"| {name}, {kind} | {mine * 1000:.0f} ms | {other * 1000:.0f} ms | 1/{other / mine:.1f} |"
            print(shown, flush=True)


def tree(name: str, *, big: bool) -> bytes:
    """An archive of a folder with many small files, or of one with a few big ones."""
    buffer = io.BytesIO()
    count, size = (BIG, _BIG_BYTES) if big else (FILES, _SMALL_BYTES)
    data = bytes(range(256)) * (size // 256 + 1)
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for number in range(count):
            member = tarfile.TarInfo(f"{name}/{number % 50}/file{number}")
            member.size = size
            archive.addfile(member, io.BytesIO(data[:size]))
    return buffer.getvalue()


@contextmanager
def container(engine: Engine, archive: bytes) -> Iterator[str]:
    """A container that runs, with *archive* in its /root."""
    api = engine.api()
    made = api.post("/containers/create", {"Image": "busybox", "Cmd": ["sleep", "100000"]}).json["Id"]
    try:
        started = api.post(f"/containers/{made}/start")
        assert started.status == 204, (engine.NAME, started.message)
        _put(engine, made, archive)
        yield made
    finally:
        api.delete(f"/containers/{made}", force="1")


def cp_in(engine: Engine, identifier: str, archive: bytes) -> float:
    """PUT of the archive."""
    return _timed(lambda: _put(engine, identifier, archive), 200)


def cp_out(engine: Engine, identifier: str) -> float:
    """GET of the folder."""
    return _received(engine, f"/containers/{identifier}/archive?path=/root")


def export(engine: Engine, identifier: str) -> float:
    """GET of the whole tree."""
    return _received(engine, f"/containers/{identifier}/export")


def diff(engine: Engine, identifier: str) -> float:
    """GET of what changed."""
    return _timed(lambda: engine.api().get(f"/containers/{identifier}/changes"), 200)


def commit(engine: Engine, identifier: str, *, create: bool = False) -> float:
    """POST of a commit; the image is removed again, outside of the measured time. *create*: and a container of it."""
    made: list[str] = []

    def act() -> Answer:
        answer = engine.api().post("/commit", None, container=identifier)
        made.append(answer.json["Id"])
        if create:
            answer = engine.api().post("/containers/create", {"Image": made[0], "Cmd": ["x"]})
            made.append(answer.json["Id"])
        return answer

    took = _timed(act, 201)
    for container in made[1:]:
        engine.api().delete(f"/containers/{container}")
    engine.api().delete(f"/images/{made[0]}", force="1")
    return took


commit_and_create = partial(commit, create=True)
"""As `commit`, until its tree can be run on."""


def _put(engine: Engine, identifier: str, archive: bytes) -> Answer:
    return engine.api().call("PUT", f"/containers/{identifier}/archive", archive, query={"path": "/root"})


def _received(engine: Engine, path: str) -> float:
    started = time.perf_counter()
    assert received(engine, path) > FILES * _SMALL_BYTES
    return time.perf_counter() - started


def _timed(act: Callable[[], Answer], status: int) -> float:
    started = time.perf_counter()
    answer = act()
    took = time.perf_counter() - started
    assert answer.status == status, answer.body
    return took


if __name__ == "__main__":
    main()
