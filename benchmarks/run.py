"""`make bench`: print the table of docs/benchmarks.md, Havre and the reference interleaved.

python -m benchmarks.run [ROUNDS]
"""

from __future__ import annotations

import compileall
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import measures
from tests.support.engines import Engine, Havre, Reference, running
from tests.support.hosts import new_host
from tests.support.images import busybox_tar


@dataclass(frozen=True)
class Line:
    """One measure of both: *goal* is the ratio to reach, *unit* how the numbers are shown."""

    name: str
    havre: list[float]
    reference: list[float]
    goal: str
    unit: str

    def __str__(self) -> str:
        ours, theirs = statistics.median(self.havre), statistics.median(self.reference)
        ratio = ours / theirs if self.unit != "a second" else theirs / ours
        shown = f"1/{1 / ratio:.1f}" if ratio < 1 else f"{ratio:.2f}"
        if self.unit == "a second":
            shown = f"x {ours / theirs:.1f}"
        return f"| {self.name} | {_shown(ours, self.unit)} | {_shown(theirs, self.unit)} | {shown} | {self.goal} |"


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    compileall.compile_dir(Path(__file__).parents[1] / "src/havre", quiet=1)  # as pip does when it installs
    with (
        tempfile.TemporaryDirectory(prefix="hvbench", ignore_cleanup_errors=True) as folder,
        new_host() as ours,
        new_host() as theirs,
    ):
        havre, reference = Havre(ours, Path(folder, "h")), Reference(theirs, Path(folder, "r"))
        pair = Pair(havre, reference)
        print("| measure | Havre | reference | ratio | goal |\n|---|---|---|---|---|", flush=True)
        with running(havre), running(reference):
            for engine in (havre, reference):
                engine.docker("import", "-", "busybox", stdin=busybox_tar(), check=True)
            _while_running(pair, rounds)
        pair.compare("cold start to the first /_ping", measures.cold_start, 5, "1/2")


@dataclass(frozen=True)
class Pair:
    """The two engines that are compared."""

    havre: Engine
    reference: Engine

    def compare(self, name: str, measure: Callable[[Engine], float], rounds: int, goal: str, unit: str = "s") -> Line:
        """*rounds* of each, in turn, after one of each that does not count."""
        found: dict[str, list[float]] = {self.havre.NAME: [], self.reference.NAME: []}
        for number in range(rounds + 1):
            for engine in (self.havre, self.reference):
                value = measure(engine)
                if number:
                    found[engine.NAME].append(value)
        line = Line(name, found[self.havre.NAME], found[self.reference.NAME], goal, unit)
        print(line, flush=True)
        return line


def _while_running(pair: Pair, rounds: int) -> None:
    for network in ("none", "host", "bridge"):
        name = f"create + start + wait + delete, network {network}"
        pair.compare(name, partial(_one_run, network), rounds, "1/10")
    with measures.idle(pair.havre, 1) as ours, measures.idle(pair.reference, 1) as theirs:
        containers = {pair.havre.NAME: ours[0], pair.reference.NAME: theirs[0]}
        pair.compare("exec", partial(_one_exec, containers), rounds, "1/6")
    name = f"{measures.STARTS} starts, {measures.PARALLEL} at a time"
    pair.compare(name, measures.parallel_starts, max(3, rounds // 5), "x 8", "a second")
    pair.compare("memory (PSS) of an idle container", measures.memory_per_container, 3, "1/5", "bytes")
    pair.compare("`ps` command", measures.ps_command, rounds, "1.5")
    with measures.idle(pair.havre, measures.LISTED), measures.idle(pair.reference, measures.LISTED):
        name = f"GET /containers/json, {measures.LISTED} containers"
        pair.compare(name, partial(measures.list_rate, requests=300), 5, "x 10", "a second")


def _one_run(network: str, engine: Engine) -> float:
    return measures.run_once(engine.api(), network)


def _one_exec(containers: dict[str, str], engine: Engine) -> float:
    return measures.exec_once(engine.api(), containers[engine.NAME])


def _shown(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value * 1000:.1f} ms"
    if unit == "bytes":
        return f"{value / 1e6:.2f} MB"
    return f"{value:,.1f} /s"


if __name__ == "__main__":
    main()
