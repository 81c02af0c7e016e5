"""Images in and out: load, push, pull, save and rmi, both engines with one registry, and havred's peak of memory.

The image has six layers of real files, about 200 MB; every push goes to an empty registry.

python -m benchmarks.images [ROUNDS]
"""

from __future__ import annotations

import io
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.disks import fresh_disk
from tests.support.archives import DockerArchive
from tests.support.debian_registry import Registry
from tests.support.engines import Engine, Havre, Reference, running
from tests.support.hosts import new_host

LAYERS, LAYER_BYTES = 6, 34_000_000
_SETTLE_S = 1.0
_SOURCES = (Path("/usr/lib"), Path("/usr/bin"), Path("/usr/share"))
_GOALS = {"load": "1/2", "push": "1/1.5", "pull": "1/2", "save": "1/1.5", "rmi": ""}


def main() -> None:
    """Measure both engines in turn, and print a table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory(prefix="hvimages", ignore_cleanup_errors=True) as folder, new_host() as host:
        registry = Registry(host, Path(folder, "registry"))
        archive = Path(folder, "image.tar")
        archive.write_bytes(DockerArchive(list(layers()), tags=[f"{registry.name}/big:1"]).bytes())
        bench = Bench(registry, archive, Path(folder))
        try:
            for number in range(rounds + 1):
                for engine in (
                    Havre(host, Path(folder, "disk")),
                    Reference(host, Path(folder, "disk"), ["--iptables=false", "--bridge=none"]),
                ):
                    bench.round(engine, counts=number > 0)
        finally:
            registry.stop()
        bench.print()


class Bench:
    """One image and one registry. Each engine works on an ext4 of its own that nobody used before."""

    def __init__(self, registry: Registry, archive: Path, folder: Path) -> None:
        self.registry = registry
        self.archive = archive
        self.folder = folder
        self.name = f"{registry.name}/big:1"
        self.found: dict[str, dict[str, list[float]]] = {}
        self.spent: dict[str, dict[str, list[float]]] = {}
        self.peaks: dict[str, list[float]] = {}

    def round(self, engine: Engine, *, counts: bool) -> None:
        """Each verb once: load and push to a registry that has nothing; then, on another disk, pull, save and rmi."""
        self.registry.stop()
        shutil.rmtree(self.registry.folder / "store", ignore_errors=True)
        self.registry.start()
        verbs: dict[str, Callable[[], None]] = {
            "load": lambda: _curl(engine, "-X", "POST", "-T", str(self.archive), "http://x/images/load?quiet=1"),
            "push": lambda: _docker(engine, "push", self.name),
            "pull": lambda: _docker(engine, "pull", self.name),
            "save": lambda: _curl(engine, f"http://x/images/get?names={self.name}"),
            "rmi": lambda: _docker(engine, "rmi", self.name),
        }
        for names in (("load", "push"), ("pull", "save", "rmi")):
            with fresh_disk(self.folder), running(engine):
                time.sleep(_SETTLE_S)  # what an engine still does once it answers is not what is measured
                for name in names:
                    self._measure(engine, name, verbs[name], counts=counts)

    def print(self) -> None:
        """The table."""
        print("| measure | Havre | reference | ratio | goal |\n|---|---|---|---|---|")
        for what, figures in (("", self.found), (", CPU of the engine", self.spent)):
            for name, both in figures.items():
                ours, theirs = (statistics.median(both[kind.NAME]) for kind in (Havre, Reference))
                ratio = f"1/{theirs / ours:.2f}" if ours else ""
                goal = "" if what else _GOALS[name]
                print(f"| {name}{what} | {ours * 1000:.0f} ms | {theirs * 1000:.0f} ms | {ratio} | {goal} |")
        for name, values in self.peaks.items():
            print(f"| peak memory of havred, {name} | {max(values) / 1e6:.0f} MB | | | 150 MB |")

    def _measure(self, engine: Engine, name: str, act: Callable[[], None], *, counts: bool) -> None:
        os.sync()  # what came before is not what is measured
        Path(f"/proc/{engine.pid}/clear_refs").write_text("5")
        before, started = cpu_s(engine.pid), time.perf_counter()
        act()
        took, spent = time.perf_counter() - started, cpu_s(engine.pid) - before
        if isinstance(engine, Havre):
            self.peaks.setdefault(name, []).append(peak_bytes(engine.pid))
        if counts:
            self.found.setdefault(name, {}).setdefault(engine.NAME, []).append(took)
            self.spent.setdefault(name, {}).setdefault(engine.NAME, []).append(spent)


def _docker(engine: Engine, *words: str) -> None:
    engine.docker(*words, check=True, timeout_s=300)


def _curl(engine: Engine, *words: str) -> None:
    line = ["curl", "-sSf", "--unix-socket", str(engine.socket), "-o", os.devnull, "-H", "Expect:", *words]
    subprocess.run(line, check=True, timeout=300, capture_output=True)  # to wait without pipes would be to poll


def layers() -> Iterator[bytes]:
    """Real files of this machine, none of them twice."""
    files = (path for source in _SOURCES for path in sorted(source.rglob("*")) if path.is_file())
    wanted = (path for path in files if not path.is_symlink() and path.stat().st_size < 4_000_000)
    for _ in range(LAYERS):
        buffer, told = io.BytesIO(), set[Path]()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            while buffer.tell() < LAYER_BYTES and (path := next(wanted, None)) is not None:
                for folder in reversed(path.parents[:-1]):  # as every builder of images describes them
                    if folder not in told:
                        told.add(folder)
                        entry = tarfile.TarInfo(str(folder)[1:])
                        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                        archive.addfile(entry)
                member = tarfile.TarInfo(str(path)[1:])
                data = path.read_bytes()
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        yield buffer.getvalue()


def cpu_s(pid: int) -> float:
    """What a process and its children that ended have used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def peak_bytes(pid: int) -> float:
    """VmHWM since it was last reset."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return float(line.split()[1]) * 1024
    raise AssertionError("the kernel tells no peak")


if __name__ == "__main__":
    main()
