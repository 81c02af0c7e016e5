"""Eight builds on one cache, one of them killed each second: afterwards each gives what it must (security.md, B-11)."""

from __future__ import annotations

import itertools
import random
import subprocess
import time

import pytest

from tests.support.engines import PYTHON, Havre

pytestmark = [pytest.mark.root, pytest.mark.soak]

SECONDS = 60
TEXT = (
    "FROM busybox AS one\nARG N\n"
    "RUN --mount=type=cache,target=/c,id=soak,sharing={sharing} echo $N >> /c/log && sleep 0.2\n"
    "RUN echo shared > /s\nFROM one\nARG N\nRUN echo $N > /n && rm /etc/group\nCOPY --from=one /s /copied\n"
)


def started(havre: Havre, number: int) -> subprocess.Popen[bytes]:
    text = TEXT.format(sharing=("shared", "locked", "private")[number % 3])
    build = subprocess.Popen(
        [PYTHON, "-m", "havre.cli.main", "build", "-t", f"soak:{number}", "--build-arg", f"N={number}", "-"],
        env=havre.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert build.stdin is not None
    build.stdin.write(text.encode())
    build.stdin.close()
    return build


@pytest.mark.timeout(600)
def test_builds_that_are_killed(havre: Havre) -> None:
    numbers = itertools.count()
    running = {number: started(havre, number) for number in itertools.islice(numbers, 8)}
    finished: list[int] = []
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        time.sleep(1)
        random.choice(list(running.values())).kill()
        for number, build in list(running.items()):
            if build.poll() is not None:
                finished += [number] if build.returncode == 0 else []
                del running[number]
                fresh = next(numbers)
                running[fresh] = started(havre, fresh)
    for build in running.values():
        build.wait(120)
    assert finished
    for number in finished[-10:]:
        said = havre.out(
            "run", "--rm", "--network", "none", f"soak:{number}", "sh", "-c", "cat /n /copied; test ! -e /etc/group"
        )
        assert said.split() == [str(number), "shared"]
    havre.docker("builder", "prune", "-af", check=True)
    assert havre.docker("save", f"soak:{finished[-1]}", check=True).stdout
