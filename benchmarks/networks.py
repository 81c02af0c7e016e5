"""Networks of users: a start with a published port, names a second, and what one container more costs among many.

python -m benchmarks.networks [ROUNDS] [CONTAINERS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support import services
from tests.support.engines import Engine, Havre, Reference, running
from tests.support.hosts import new_host
from tests.support.images import busybox_tar

NETWORK = "bench"
PORTS = 200
_HTTP_PORT = 8088
_SLEEP = ("busybox", "sleep", "3600")


def main() -> None:
    """Measure both engines in turn, and print a table; the last line is Havre's alone."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    many = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    with (
        tempfile.TemporaryDirectory(prefix="hvbench", ignore_cleanup_errors=True) as folder,
        new_host() as ours,
        new_host() as theirs,
    ):
        engines = (Havre(ours, Path(folder, "h")), Reference(theirs, Path(folder, "r")))
        with running(engines[0]), running(engines[1]):
            for engine in engines:
                engine.docker("import", "-", "busybox", stdin=busybox_tar(), check=True)
                engine.out("network", "create", NETWORK)
                engine.out("run", "-d", "--name", "web", "--network", NETWORK, *_SLEEP)
            print("| measure | Havre | reference | ratio |\n|---|---|---|---|", flush=True)
            starts = [[start_s(engine, 9000) for engine in engines] for _ in range(rounds)]
            _print("start on a network of one's own with a port", starts, "ms")
            names = [[names_a_second(engine) for engine in engines] for _ in range(3)]
            _print("names of neighbours a second, from inside", names, "")
            for engine in engines:
                services.provide(engine)
                engine.out("run", "-d", "--name", "http", "-p", f"{_HTTP_PORT}:80", "nginx")
            pages = [[pages_kept(engine) for engine in engines] for _ in range(3)]
            _print(
                "pages a second through a published port at 127.0.0.1, of those at the container's address", pages, "%"
            )
            with new_host() as another, running(Havre(another, Path(folder, "a"))) as alone:
                alone.docker("import", "-", "busybox", stdin=busybox_tar(), check=True)
                alone.out("network", "create", NETWORK)
                crowd(engines[0], alone, many, rounds)


def start_s(engine: Engine, port: int) -> float:
    """Seconds that a start takes; the container is made before and removed after."""
    container = engine.out("create", "--network", NETWORK, "-p", f"{port}:80", *_SLEEP)
    begun = time.perf_counter()
    engine.api().post(f"/containers/{container}/start")
    spent = time.perf_counter() - begun
    engine.out("rm", "-f", container)
    return spent


def names_a_second(engine: Engine) -> float:
    """Answers a second to questions for a neighbour's name, asked by dnsperf in the container's namespace."""
    pid = engine.out("inspect", "-f", "{{.State.Pid}}", "web")
    questions = engine.folder / "questions"
    questions.write_text("web A\n")
    asking = ["dnsperf", "-s", "127.0.0.11", "-d", str(questions), "-l", "3", "-c", "4", "-q", "100"]
    done = subprocess.run(["nsenter", "-t", pid, "-n", *asking], check=True, capture_output=True, text=True)
    return float(done.stdout.partition("Queries per second:")[2].split()[0])


def pages_kept(engine: Engine) -> float:
    """Pages of nginx a second through its published port, as a share of those from its own address; asked by wrk."""
    address = engine.out("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "http")
    rates = []
    for place in (f"127.0.0.1:{_HTTP_PORT}", address):
        done = engine.host.run("wrk", "-t", "1", "-c", "32", "-d", "3s", f"http://{place}/")
        rates.append(float(done.stdout.partition("Requests/sec:")[2].split()[0]))
    return rates[0] / rates[1]


def crowd(engine: Engine, alone: Engine, many: int, rounds: int) -> None:
    """What a start costs, in turn, *alone* and with *many* neighbours, of which the first hundreds publish ports."""
    for number in range(many):
        ports = ("-p", f"{10000 + number}:80") if number < PORTS else ()
        engine.out("run", "-d", "--network", NETWORK, *ports, *_SLEEP)
    pairs = [(start_s(alone, 9000), start_s(engine, 9000)) for _ in range(rounds)]
    name = f"the same start, alone and among {many}, {min(many, PORTS)} of them with a port"
    for kind, choose in (("", statistics.median), (", the fastest", min)):
        few, full = (choose(each) for each in zip(*pairs, strict=True))
        print(f"| {name}{kind} | {few * 1000:.1f} ms | {full * 1000:.1f} ms | {full / few:.2f} |")


def _print(name: str, rounds: list[list[float]], unit: str) -> None:
    ours, theirs = (statistics.median(each) for each in zip(*rounds, strict=True))
    print(f"| {name} | {_shown(ours, unit)} | {_shown(theirs, unit)} | {ours / theirs:.2f} |", flush=True)


def _shown(value: float, unit: str) -> str:
    return {"ms": f"{value * 1000:.1f} ms", "%": f"{value:.1%}"}.get(unit, f"{value:,.0f}")


if __name__ == "__main__":
    main()
