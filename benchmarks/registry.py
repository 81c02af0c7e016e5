"""Our registry and Debian's docker-registry, interleaved: pushes and pulls, and the processor time of the servers.

python -m benchmarks.registry [ROUNDS [MEGABYTES]]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.support.oci_images import Image, digest, image, write_layout
from tests.support.pushing import push_manifest
from tests.support.registries import DockerRegistry, HavreRegistry, Registry, run, running

_LAYERS = 6
_QUIET = {"log": {"level": "error", "accesslog": {"disabled": True}}}
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Found:
    """What one run of a measure took."""

    wall_s: float
    server_s: float


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    with tempfile.TemporaryDirectory(prefix="hvbench") as name:
        folder = Path(name)
        # Each round has an image of its own: skopeo remembers where a blob lies already, and would mount it.
        images = [image(_LAYERS, megabytes * 1_000_000 // _LAYERS) for _ in range(rounds + 1)]
        layouts = [write_layout(folder / f"layout-{turn}", each, "v1") for turn, each in enumerate(images)]
        made = images[0]
        ours, theirs = HavreRegistry(folder / "havre", _QUIET), DockerRegistry(folder / "docker", _QUIET)
        print(f"{megabytes} MB in {_LAYERS} layers, {rounds} rounds, medians\n")
        print("| measure | Havre | docker-registry | ratio | CPU: Havre | docker-registry |\n|---|---|---|---|---|---|")
        with running(ours), running(theirs):
            compare("push with skopeo", (ours, theirs), rounds, lambda r, turn: copy_in(r, folder, layouts[turn], turn))
            compare("pull with skopeo", (ours, theirs), rounds, lambda r, turn: copy_out(r, folder, turn))
            compare("push of what is there", (ours, theirs), rounds, lambda r, _: copy_in(r, folder, layouts[0], 0))
            compare("pull with curl, 4 at a time", (ours, theirs), rounds, lambda r, _: fetch(r, made))
            compare("500 small manifests, 8 at a time", (ours, theirs), rounds, lambda r, _: tag(r, made))
            print(f"\nPeak memory: {peak_mb(ours):.0f} MB and {peak_mb(theirs):.0f} MB")


def compare(
    name: str, registries: tuple[Registry, Registry], rounds: int, measure: Callable[[Registry, int], None]
) -> None:
    found: dict[str, list[Found]] = {each.NAME: [] for each in registries}
    for turn in range(rounds + 1):
        for registry in registries:
            cpu, start = server_s(registry), time.perf_counter()
            measure(registry, turn)
            taken = Found(time.perf_counter() - start, server_s(registry) - cpu)
            if turn:
                found[registry.NAME].append(taken)
    ours, theirs = (
        Found(
            statistics.median(each.wall_s for each in found[registry.NAME]),
            statistics.median(each.server_s for each in found[registry.NAME]),
        )
        for registry in registries
    )
    print(
        f"| {name} | {ours.wall_s:.2f} s | {theirs.wall_s:.2f} s | {ours.wall_s / theirs.wall_s:.2f} "
        f"| {ours.server_s:.2f} s | {theirs.server_s:.2f} s |",
        flush=True,
    )


def copy_in(registry: Registry, folder: Path, layout: Path, turn: int) -> None:
    target = f"docker://{registry.domain}/bench/{turn}:v1"
    run(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout}:v1", target], folder)


def copy_out(registry: Registry, folder: Path, turn: int) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as out:
        source = f"docker://{registry.domain}/bench/{turn}:v1"
        run(["skopeo", "copy", "--quiet", "--src-tls-verify=false", source, f"dir:{out}/image"], folder)


def fetch(registry: Registry, made: Image) -> None:
    """Every blob by a curl of its own, four at a time."""
    urls = [f"http://{registry.domain}/v2/bench/0/blobs/{digest(data)}" for data in made.blobs[1:]]
    with ThreadPoolExecutor(4) as pool:
        for done in pool.map(
            lambda url: subprocess.run(["curl", "-sSf", "-o", "/dev/null", url], check=False), urls * 2
        ):
            assert done.returncode == 0


def tag(registry: Registry, made: Image) -> None:
    def one(number: int) -> None:
        assert push_manifest(registry, "bench/0", made, f"tag-{number}").status == 201

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(500)))


def server_s(registry: Registry) -> float:
    """Processor seconds of the server so far."""
    assert registry.process is not None
    fields = Path(f"/proc/{registry.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def peak_mb(registry: Registry) -> float:
    assert registry.process is not None
    lines = Path(f"/proc/{registry.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
