"""Applications of many containers: `havre compose` on Havre beside docker-compose 1.29 on the reference engine.

python -m benchmarks.applications [ROUNDS [BASES]]

BASES is a folder of archives that `examples/voting-app/bases` makes; with it the voting application is measured too.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.engines import PYTHON, Engine, Havre, Reference, run_client, running
from tests.support.hosts import new_host
from tests.support.images import busybox_tar

SERVICES = 50
HAVRE_LINE = (PYTHON, "-m", "havre.cli.main", "compose")
REFERENCE_LINE = ("docker-compose",)
VOTING = Path(__file__).parents[1] / "examples/voting-app/compose.yaml"


def application(folder: Path) -> Path:
    """A file of SERVICES small services without networks, some of which wait for others."""
    lines = ['version: "3.9"', "services:"]
    for number in range(SERVICES):
        lines += [f"  s{number}:", "    image: busybox", "    network_mode: none", "    command: sleep 100000"]
        lines += ["    stop_signal: SIGKILL"]
        if number % 5:
            lines += [f"    depends_on: [s{number - number % 5}]"]
    file = folder / "docker-compose.yml"
    file.write_text("\n".join(lines) + "\n")
    return file


def timed(engine: Engine, line: Sequence[str], *words: str) -> float:
    """The seconds that one command takes."""
    started = time.perf_counter()
    run_client([*line, *words], engine.environment(), check=True, stdin=None, timeout_s=300)
    return time.perf_counter() - started


def main() -> None:
    """Measure in turn and print the medians."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    bases = sorted(Path(sys.argv[2]).glob("*.tar")) if len(sys.argv) > 2 else []
    with (
        tempfile.TemporaryDirectory(prefix="hvbench", ignore_cleanup_errors=True) as folder,
        new_host() as ours,
        new_host() as theirs,
    ):
        engines: tuple[Engine, Engine] = (Havre(ours, Path(folder, "h")), Reference(theirs, Path(folder, "r")))
        with running(engines[0]), running(engines[1]):
            for engine in engines:
                engine.docker("import", "-", "busybox", stdin=busybox_tar(), check=True)
                for archive in bases:
                    engine.out("import", str(archive), archive.stem)
            verbs = {"up": ("up", "-d"), "up, nothing changed": ("up", "-d"), "down": ("down",)}
            measure(f"{SERVICES} small services", engines, application(Path(folder)), verbs, rounds)
            if bases:
                for engine, line in zip(engines, (HAVRE_LINE, REFERENCE_LINE), strict=True):
                    timed(engine, line, "-f", str(VOTING), "build")
                verbs = {"up": ("up", "-d"), "down": ("down", "-v")}
                measure("the voting application", engines, VOTING, verbs, rounds)


def measure(title: str, engines: Sequence[Engine], file: Path, verbs: Mapping[str, Sequence[str]], rounds: int) -> None:
    """Run *verbs* in their order on both engines in turn, and print a table."""
    found: dict[str, list[list[float]]] = {name: [[], []] for name in verbs}
    for _ in range(rounds):
        for name, words in verbs.items():
            for place, (engine, line) in enumerate(zip(engines, (HAVRE_LINE, REFERENCE_LINE), strict=True)):
                found[name][place].append(timed(engine, line, "-p", "bench", "-f", str(file), *words))
    print(f"| {title} | havre compose | docker-compose 1.29 on dockerd | ratio |\n|---|---|---|---|")
    for name, (havre, reference) in found.items():
        one, other = statistics.median(havre), statistics.median(reference)
        print(f"| {name} | {one:.2f} s | {other:.2f} s | 1/{other / one:.1f} |", flush=True)


if __name__ == "__main__":
    main()
