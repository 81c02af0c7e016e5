"""`havre update` on what Docker cannot change: the container stays who it is, and keeps what it wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Havre

pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def nothing_left(havre: Havre) -> Iterator[None]:
    yield
    havre.remove_all()
    havre.docker("volume", "prune", "-af", check=True)


def started(havre: Havre, *options: str) -> str:
    made = havre.out("run", "-d", "--name", "one", "-e", "A=old", *options, "busybox", "sleep", "300")
    havre.docker("exec", "one", "sh", "-c", "echo written > /file", check=True)
    return made


def pid(havre: Havre) -> str:
    return havre.out("inspect", "-f", "{{.State.Pid}}", "one")


def test_environment_mounts_and_ports_by_one_restart(havre: Havre, tmp_path: Path) -> None:
    (tmp_path / "host").write_text("of the host")
    made = started(havre, "-v", "gone:/gone")
    options = [
        "-e",
        "A=new",
        "-e",
        "B=2",
        "-v",
        f"{tmp_path}/host:/host:ro",
        "--mount",
        "type=volume,src=kept,dst=/kept",
    ]
    done = havre.havre("update", *options, "--mount-rm", "/gone", "-p", "127.0.0.1:18080:80", "one", check=True)
    assert done.stdout == b"one\n"
    assert b"the container was stopped and started again" in done.stderr
    assert havre.out("inspect", "-f", "{{.Id}}", "one") == made
    script = "echo $A $B; cat /file /host; ls -d /kept; mount | grep gone; true"
    assert havre.out("exec", "one", "sh", "-c", script) == "new 2\nwritten\nof the host/kept"
    (found,) = json.loads(havre.out("inspect", "one"))
    assert sorted(mount["Destination"] for mount in found["Mounts"]) == ["/host", "/kept"]
    assert found["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"] == "18080"
    havre.docker("volume", "rm", "gone", check=True)  # it is held no more
    assert b"volume is in use" in havre.docker("volume", "rm", "kept").stderr
    havre.havre("update", "--publish-rm", "80", "one", check=True)
    assert havre.out("port", "one") == ""


def test_labels_change_under_a_container_that_runs(havre: Havre) -> None:
    started(havre, "-l", "a=1", "-l", "b=2")
    before = pid(havre)
    havre.havre("update", "-l", "a=new", "-l", "c=3", "--label-rm", "b", "one", check=True)
    assert havre.out("inspect", "-f", "{{json .Config.Labels}}", "one") == '{"a":"new","c":"3"}'
    assert havre.out("ps", "-q", "--filter", "label=c=3") != ""
    assert pid(havre) == before
    havre.kill()
    havre.start()
    assert havre.out("inspect", "-f", "{{json .Config.Labels}}", "one") == '{"a":"new","c":"3"}'


def test_what_does_not_start_is_taken_back(havre: Havre, tmp_path: Path) -> None:
    started(havre)
    (tmp_path / "file").write_text("x")
    done = havre.havre("update", "-v", f"{tmp_path}/file:/etc/passwd/impossible", "-e", "A=new", "one")
    assert done.returncode == 1
    assert havre.out("exec", "one", "sh", "-c", "echo $A; cat /file") == "old\nwritten"


def test_a_container_that_does_not_run_stays_so(havre: Havre) -> None:
    havre.docker("create", "--name", "one", "-e", "A=old", "busybox", "sh", "-c", "echo $A", check=True)
    havre.havre("update", "-e", "A=new", "one", check=True)
    assert havre.out("inspect", "-f", "{{.State.Status}}", "one") == "created"
    assert havre.out("start", "-a", "one") == "new"


@pytest.mark.parametrize("options", [("--network", "container:other"), ("--uts", "host"), ("--network", "host")])
def test_one_that_shares_its_name_with_another(havre: Havre, options: tuple[str, ...]) -> None:
    havre.docker("run", "-d", "--name", "other", "busybox", "sleep", "300", check=True)
    started(havre, "--stop-timeout", "0", *options)
    havre.havre("update", "-e", "A=new", "one", check=True)
    assert havre.out("exec", "one", "sh", "-c", "echo $A; cat /file") == "new\nwritten"


def test_what_changes_nothing_stops_nothing(havre: Havre) -> None:
    started(havre)
    before = pid(havre)
    havre.havre("update", "-e", "A=old", "--env-rm", "NOSUCH", "one", check=True)
    wrong = havre.havre("update", "--publish-rm", "81", "one")
    assert (wrong.returncode, b"no port 81/tcp is published" in wrong.stderr) == (1, True)
    assert pid(havre) == before


def test_one_that_removes_itself_is_left_alone(havre: Havre) -> None:
    started(havre, "--rm")
    assert b"removes itself when it ends" in havre.havre("update", "-e", "A=new", "one").stderr
    assert havre.out("exec", "one", "sh", "-c", "echo $A") == "old"


def test_explain_names_each_step_with_its_time(havre: Havre) -> None:
    assert havre.havre("run", "--rm", "--explain", "--explain-format", "xml", "busybox", "true").returncode == 125
    done = havre.havre("run", "--rm", "--explain", "busybox", "echo", "hi", check=True)
    assert done.stdout == b"hi\n"
    for step in (b"create", b"start.network", b"birth: exec", b"start.launched", b"start.recorded"):
        assert step in done.stderr
    done = havre.havre(
        "run", "-d", "--name", "one", "--explain", "--explain-format", "json", "busybox", "sleep", "300", check=True
    )
    told = json.loads(done.stderr)
    assert [phase["Phase"] for phase in told["Phases"]] == ["create", "start"]
    starts = [step["Start"] for step in told["Steps"]]
    assert starts == sorted(starts)
    assert sum(step["Duration"] for step in told["Steps"]) <= told["Phases"][-1]["Duration"]
