"""`havre debug`: tools beside a container that has none, and the files of one that does not run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.engines import Havre

pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def nothing_left(havre: Havre) -> Iterator[None]:
    yield
    havre.remove_all()


def test_in_the_namespaces_of_one_that_runs(havre: Havre) -> None:
    words = ("-e", "OWN=1", "--ipc", "shareable", "busybox", "sh", "-c", "echo written > /file; exec sleep 4321")
    havre.docker("run", "-d", "--name", "target", *words, check=True)
    script = "ps -o args | grep '^sleep'; cat $TARGET/file; "
    script += "ls -l /proc/1/ns/net /proc/self/ns/net | sed 's/.*-> //' | uniq | wc -l"
    said = havre.havre("debug", "target", "sh", "-c", script, check=True).stdout.decode()
    assert said == "sleep 4321\nwritten\n1\n"
    assert havre.havre("debug", "target", "sh", "-c", "echo more > $TARGET/more; exit 5").returncode == 5
    assert havre.out("exec", "target", "cat", "/more") == "more"
    assert havre.out("ps", "-a", "--format", "{{.Names}}") == "target"  # the toolbox is gone


def test_with_the_files_of_one_that_does_not_run(havre: Havre) -> None:
    havre.docker("run", "--name", "target", "busybox", "sh", "-c", "echo written > /file; rm /etc/group; exit 3")
    script = (
        "cat $TARGET/file; ls $TARGET/etc/group $TARGET/etc/passwd 2>/dev/null; touch $TARGET/x 2>/dev/null; echo $?"
    )
    said = havre.havre("debug", "target", "sh", "-c", script, check=True).stdout.decode()
    assert said == "written\n/target/etc/passwd\n1\n"


def test_one_that_never_ran(havre: Havre) -> None:
    havre.docker("create", "--name", "target", "busybox", "true", check=True)
    assert havre.havre("debug", "target", "ls", "/target/etc/passwd", check=True).stdout == b"/target/etc/passwd\n"


def test_the_root_of_one_that_runs_is_not_mounted_twice(havre: Havre) -> None:
    havre.docker("run", "-d", "--name", "target", "busybox", "sleep", "300", check=True)
    done = havre.havre("run", "--rm", "--mount", "type=container,src=target,dst=/t", "busybox", "true")
    assert b"cannot be mounted while it runs" in done.stderr
    assert b"No such container: nosuch" in havre.havre("debug", "nosuch").stderr
