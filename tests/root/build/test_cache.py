"""The cache never lies: what changed is done again, what did not is not, and nobody else's removals break it."""

from __future__ import annotations

import concurrent.futures
import json
import os
from pathlib import Path

import pytest

from tests.support.engines import Havre

pytestmark = pytest.mark.root

STAMP = "FROM busybox\n{extra}COPY {what} /in/\nRUN cat /proc/uptime > /stamp\n"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_text("a")
    (tmp_path / "sub" / "b").write_text("b")
    return tmp_path


def stamp(havre: Havre, context: Path, *flags: str, what: str = "a", extra: str = "") -> str:
    """What the step behind COPY made: the same text means that it was not done again."""
    (context / "Dockerfile").write_text(STAMP.format(extra=extra, what=what))
    done = havre.havre("build", "-q", *flags, str(context), check=True)
    return havre.out("run", "--rm", "--network", "none", done.stdout.decode().strip(), "cat", "/stamp")


def test_times_do_not_count(havre: Havre, context: Path) -> None:
    first = stamp(havre, context)
    os.utime(context / "a", (1, 1))
    (context / "unused").write_text("new")
    assert stamp(havre, context) == first


@pytest.mark.parametrize("change", ["content", "same length", "mode"])
def test_files_count(havre: Havre, context: Path, change: str) -> None:
    first = stamp(havre, context)
    if change == "mode":
        (context / "a").chmod(0o755)
    else:
        (context / "a").write_text("longer" if change == "content" else "b")
        os.utime(context / "a", (1, 1))
    assert stamp(havre, context) != first


def test_a_file_deep_below_counts(havre: Havre, context: Path) -> None:
    first = stamp(havre, context, what="sub")
    assert stamp(havre, context, what="sub") == first
    (context / "sub" / "b").write_text("c")
    assert stamp(havre, context, what="sub") != first


@pytest.mark.parametrize(
    ("flags", "extra"),
    [
        (["--build-arg", "A=2"], "ARG A=1\n"),
        ([], "ENV X=1\n"),
        ([], "USER root\n"),
        ([], "WORKDIR /tmp\n"),
        ([], 'SHELL ["/bin/sh", "-ec"]\n'),
        (["--network", "none"], ""),
        (["--add-host", "h:1.2.3.4"], ""),
        (["--no-cache"], ""),
        (["--no-cache-filter", "0"], ""),
    ],
)
def test_what_a_command_depends_on_counts(havre: Havre, context: Path, flags: list[str], extra: str) -> None:
    base = "ARG A=1\n" if extra.startswith("ARG") else ""
    (context / "a").write_text(f"{flags}{extra}")
    first = stamp(havre, context, extra=base)
    assert stamp(havre, context, extra=base) == first
    assert stamp(havre, context, *flags, extra=extra) != first


def test_a_proxy_does_not_count(havre: Havre, context: Path) -> None:
    (context / "a").write_text("proxy")
    first = stamp(havre, context)
    assert stamp(havre, context, "--build-arg", "http_proxy=http://127.0.0.1:9") == first


def test_a_stage_that_yields_the_same_changes_nothing_behind_it(havre: Havre, context: Path) -> None:
    text = (
        "FROM busybox AS one\nRUN echo same > /f # {}\n"
        "FROM busybox\nCOPY --from=one /f /f\nRUN cat /proc/uptime > /stamp\n"
    )
    stamps = []
    for word in ("x", "y"):
        done = havre.havre("build", "-q", "-", stdin=text.format(word).encode(), check=True)
        stamps.append(havre.out("run", "--rm", "--network", "none", done.stdout.decode().strip(), "cat", "/stamp"))
    assert stamps[0] == stamps[1]


def test_a_new_base_is_noticed(havre: Havre, context: Path, rootfs_tar: bytes) -> None:
    havre.docker("import", "-", "base:x", stdin=rootfs_tar, check=True)
    text = "FROM base:x\nRUN cat /proc/uptime > /stamp\n"
    ids = []
    for label in ("a=1", "a=2"):
        havre.docker("import", "-c", f"LABEL {label}", "-", "base:x", stdin=rootfs_tar, check=True)
        ids.append(havre.havre("build", "-q", "-", stdin=text.encode(), check=True).stdout)
    assert ids[0] != ids[1]


def test_removed_images_leave_the_cache(havre: Havre, context: Path) -> None:
    (context / "a").write_text("removed")
    first = stamp(havre, context, "-t", "gone")
    havre.docker("rmi", "-f", "gone", check=True)
    havre.docker("image", "prune", "-f", check=True)
    assert stamp(havre, context) == first


def test_prune(havre: Havre, context: Path) -> None:
    (context / "a").write_text("pruned")
    first = stamp(havre, context, "-t", "kept")
    assert "COPY a /in/" in havre.havre("builder", "du", "--verbose", check=True).stdout.decode()
    havre.havre("builder", "prune", "-f", check=True)
    assert stamp(havre, context) == first, "what an image holds stays in the cache"
    havre.docker("builder", "prune", "-af", check=True)
    assert havre.out("run", "--rm", "--network", "none", "kept", "cat", "/stamp") == first
    assert stamp(havre, context) != first
    assert "Total:\t\t0B" not in havre.havre("builder", "du", check=True).stdout.decode()


def test_prune_by_filters(havre: Havre, context: Path) -> None:
    text = "FROM busybox\nRUN --mount=type=cache,id=filtered,target=/c touch /c/x /{}\nRUN echo {} > /{}\n"
    for name in ("pruned1", "pruned2"):
        done = havre.havre("build", "-q", "-t", name, "-", stdin=text.replace("{}", name).encode(), check=True)
        assert done.stdout
    havre.docker("rmi", "-f", "pruned1", "pruned2", check=True)

    def described() -> set[str]:
        items = json.loads(havre.api().get("/system/df").body)["BuildCache"]
        return {item["Description"] for item in items if "pruned" in item["Description"]}

    before = described()
    assert len(before) == 4
    for kept in (
        "until=24h",
        "inuse=true",
        "type=source.local",
        "parent=sha256:00",
        "description=nothing",
        "shared=true",
        "label=x",
    ):
        havre.havre("builder", "prune", "-af", "--filter", kept, check=True)
        assert described() == before, kept
    havre.havre("builder", "prune", "-f", "--filter", "description=RUN echo pruned1 > /pruned1", check=True)
    assert before - described() == {"RUN echo pruned1 > /pruned1"}
    havre.havre("builder", "prune", "-af", "--filter", "type=exec.cachemount", check=True)
    assert before - described() == {"RUN echo pruned1 > /pruned1"}
    assert havre.havre("builder", "prune", "-f", "--filter", "colour=x").returncode == 1
    assert havre.havre("builder", "prune", "-f", "--filter", "shared=maybe").returncode == 1
    havre.havre("builder", "prune", "-f", "--filter", "private=true", check=True)
    assert not described()


def test_ten_builds_side_by_side(havre: Havre, context: Path) -> None:
    (context / "a").write_text("ten")
    (context / "Dockerfile").write_text(
        "FROM busybox AS one\nCOPY a /a\nRUN cat /proc/uptime > /stamp && sleep 0.2\n"
        "FROM one\nARG N\nRUN echo $N > /n\n"
    )
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        builds = [
            pool.submit(havre.havre, "build", "-q", "-t", f"ten:{number}", "--build-arg", f"N={number}", str(context))
            for number in range(10)
        ]
        assert [one.result().returncode for one in builds] == [0] * 10
    stamps = set()
    for number in range(10):
        said = havre.out("run", "--rm", "--network", "none", f"ten:{number}", "cat", "/n", "/stamp").split("\n")
        assert said[0] == str(number)
        stamps.add(said[1])
    assert len(stamps) == 1, "what all share is done once"


def test_the_cache_survives_the_daemon(havre: Havre, context: Path) -> None:
    (context / "a").write_text("survives")
    first = stamp(havre, context)
    havre.kill()
    havre.start()
    assert stamp(havre, context) == first
