"""The verbs of compose, on Havre and on the reference engine."""

from __future__ import annotations

import json

import pytest

from tests.root.compose.conftest import App
from tests.support.images import busybox_tar

pytestmark = [pytest.mark.root, pytest.mark.reference]

TWO = """
services:
  web:
    image: busybox
    network_mode: none
    command: sh -c "echo from $$NAME; exec sleep 1000"
    environment: {NAME: "${NAME:-web}"}
    stop_grace_period: 0s
    depends_on:
      db: {condition: service_healthy}
      job: {condition: service_completed_successfully}
    volumes: [/anon, "data:/data"]
  db:
    image: busybox
    network_mode: none
    command: sh -c "sleep 1; touch /ready; exec sleep 1000"
    healthcheck: {test: test -e /ready, interval: 200ms, retries: 50}
    stop_grace_period: 0s
  job:
    image: busybox
    network_mode: none
    command: sh -c "echo done"
volumes: {data: null}
"""


def test_up_twice_and_down(app: App) -> None:
    app.write(TWO)
    said = app.compose("up", "-d").stderr.decode()
    assert said.index("db-1  Healthy") < said.index("web-1  Starting")
    assert said.index("job-1  Exited") < said.index("web-1  Starting")
    first = app.ids()
    assert list(first) == [f"{app.name}-{service}-1" for service in ("db", "job", "web")]
    app.compose("up", "-d")
    assert app.ids() == first
    rows = [json.loads(line) for line in app.out("ps", "--format", "json").splitlines()]
    assert [(row["Service"], row["State"]) for row in rows] == [("db", "running"), ("web", "running")]
    assert [(row["ExitCode"], row["Publishers"], row["LocalVolumes"]) for row in rows] == [(0, [], "0"), (0, [], "2")]
    ended = json.loads(app.out("ps", "--all", "--status", "exited", "--format", "json"))
    assert (ended["Service"], ended["ExitCode"], ended["CreatedAt"][10]) == ("job", 0, " ")
    app.compose("down", "-v")
    assert not any(app.left().values())


def test_only_what_changed_is_made_again_and_keeps_its_volumes(app: App) -> None:
    app.write(TWO)
    app.compose("up", "-d")
    first = app.ids()
    app.compose("exec", "-T", "web", "sh", "-c", "echo kept > /anon/f; echo named > /data/f")
    app.compose("up", "-d", NAME="other")
    second = app.ids()
    assert {name for name in first if first[name] != second[name]} == {f"{app.name}-web-1"}
    assert app.out("exec", "-T", "web", "sh", "-c", "cat /anon/f /data/f; echo $NAME") == "kept\nnamed\nother"
    app.compose("up", "-d", "--force-recreate", "--no-deps", "-V", "web", NAME="other")
    assert app.compose("exec", "-T", "web", "test", "-e", "/anon/f", check=False).returncode == 1


def test_stop_start_restart_pause_kill_rm(app: App) -> None:
    app.write(TWO)
    app.compose("up", "-d")
    app.compose("stop")
    assert app.out("ps", "-q") == ""
    app.compose("start")
    assert len(app.out("ps", "-q").splitlines()) == 2
    app.compose("restart", "-t", "0", "db")
    app.compose("pause", "db")
    assert app.out("ps", "--status", "paused", "--services") == "db"
    app.compose("unpause", "db")
    app.compose("kill", "web")
    assert app.out("ps", "--services") == "db"
    app.compose("rm", "-f")
    assert list(app.ids()) == [f"{app.name}-db-1"]
    app.compose("rm", "-fsv")
    assert app.ids() == {}


def test_scale(app: App) -> None:
    app.write("services: {w: {image: busybox, network_mode: none, command: sleep 1000, stop_grace_period: 0s}}")
    app.compose("up", "-d", "--scale", "w=3")
    assert list(app.ids()) == [f"{app.name}-w-{number}" for number in (1, 2, 3)]
    app.compose("scale", "w=1")
    assert list(app.ids()) == [f"{app.name}-w-1"]
    app.compose("up", "-d", "--wait", "--scale", "w=2")
    assert len(app.ids()) == 2


def test_run_and_exec(app: App) -> None:
    app.write(TWO)
    done = app.compose(
        "run", "--rm", "--no-deps", "-T", "-e", "X=1", "-w", "/tmp", "web", "sh", "-c", "echo $X $PWD; cat; exit 5",
        check=False, stdin=b"typed",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (5, b"1 /tmp\ntyped")
    assert app.ids() == {}
    assert app.out("run", "-d", "--name", f"{app.name}-own", "job") == f"{app.name}-own"
    app.compose("up", "-d", "db")
    assert app.compose("exec", "-T", "db", "sh", "-c", "exit 7", check=False).returncode == 7
    failed = app.compose("exec", "-T", "web", "true", check=False)
    assert (failed.returncode, failed.stderr) == (1, b'service "web" is not running\n')


def test_a_variable_without_a_value_takes_that_of_the_image_away(app: App) -> None:
    image = f"{app.name}-image"
    app.engine.docker("import", "-c", "ENV TAKEN=image", "-c", "ENV KEPT=image", "-", image, stdin=busybox_tar())
    app.write(f"services: {{web: {{image: {image}, environment: [TAKEN, GIVEN], command: env}}}}")
    try:
        shown = app.out("run", "--rm", "-T", "web", GIVEN="here").splitlines()
    finally:
        app.engine.out("rmi", "-f", image)
    assert {"KEPT=image", "GIVEN=here"} <= set(shown)
    assert not [line for line in shown if line.startswith("TAKEN")]


def test_logs_have_aligned_prefixes(app: App) -> None:
    app.write(TWO)
    app.compose("up", "-d")
    assert sorted(app.out("logs").splitlines()) == ["job-1  | done", "web-1  | from web"]
    assert app.out("logs", "--no-log-prefix", "job") == "done"


def test_ls_images_top_port_volumes(app: App) -> None:
    app.write(TWO)
    app.compose("up", "-d")
    found = {row["Name"]: row for row in json.loads(app.out("ls", "--format", "json"))}
    assert found[app.name]["Status"] == "exited(1), running(2)"
    assert found[app.name]["ConfigFiles"] == f"{app.folder}/compose.yaml"
    assert {row["Repository"] for row in json.loads(app.out("images", "--format", "json"))} == {"busybox"}
    assert "sleep 1000" in app.out("top", "db")
    assert app.out("volumes", "-q") == f"{app.name}_data"
    no_port = app.compose("port", "web", "80", check=False)
    assert no_port.returncode == 1


def test_secrets_and_configs(app: App) -> None:
    app.write("""
services:
  w:
    image: busybox
    network_mode: none
    command: sleep 1000
    stop_grace_period: 0s
    secrets: [from_env, {source: from_file, target: renamed, uid: "1000", mode: 0400}, plain]
    configs: [{source: inline, target: /etc/app/c.conf}]
secrets:
  from_env: {environment: WORD}
  from_file: {file: ./secret.txt}
  plain: {file: ./secret.txt}
configs:
  inline: {content: "port=${PORT:-80}"}
""")
    app.write("file content", "secret.txt")
    app.compose("up", "-d", WORD="t0k")
    files = "/run/secrets/from_env /run/secrets/renamed /run/secrets/plain /etc/app/c.conf"
    assert app.out("exec", "-T", "w", "cat", *files.split()) == "t0kfile contentfile contentport=80"
    assert app.out("exec", "-T", "w", "stat", "-c", "%a %u", "/run/secrets/renamed") == "400 1000"
    first = app.ids()
    app.compose("up", "-d", WORD="t0k")
    assert app.ids() == first
    app.compose("up", "-d", WORD="new")
    assert app.ids() != first


def test_hooks(app: App) -> None:
    app.write("""
services:
  w:
    image: busybox
    network_mode: none
    command: sleep 1000
    stop_grace_period: 0s
    volumes: ["./out:/out"]
    post_start: [{command: sh -c "echo $$WHO > /out/started", environment: [WHO=me]}]
    pre_stop: [{command: [touch, /out/stopped]}]
""")
    app.compose("up", "-d")
    assert (app.folder / "out/started").read_text() == "me\n"
    app.compose("stop")
    assert (app.folder / "out/stopped").exists()
    app.write("""
services:
  w: {image: busybox, network_mode: none, command: sleep 1000, post_start: [{command: sh -c "echo why; exit 4"}]}
""")
    failed = app.compose("up", "-d", "-t", "0", check=False)
    assert failed.returncode == 1
    assert b"exited with status code 4: why" in failed.stderr


def test_cp_commit_export_wait_events(app: App) -> None:
    app.write(TWO)
    app.compose("up", "-d", "db")
    (app.folder / "f").write_text("copied")
    app.compose("cp", str(app.folder / "f"), "db:/f")
    app.compose("cp", "db:/f", str(app.folder / "g"))
    assert (app.folder / "g").read_text() == "copied"
    app.compose("export", "-o", str(app.folder / "x.tar"), "db")
    assert (app.folder / "x.tar").stat().st_size > 10_000
    image = app.out("commit", "db", f"{app.name}:one")
    app.engine.out("rmi", image)
    waiting = app.start("wait", "db")
    app.compose("kill", "db")
    assert waiting.wait(30) == 137
    assert waiting.stdout is not None
    waiting.stdout.close()
    events = [json.loads(line) for line in app.out("events", "--json", "--since", "5m", "--until", "0s").splitlines()]
    assert {"create", "start", "die"} <= {one["action"] for one in events}
    assert {one["service"] for one in events} == {"db"}


def test_orphans(app: App) -> None:
    app.write(TWO)
    app.compose("up", "-d")
    app.write("services: {db: {image: busybox, network_mode: none, command: sleep 1000, stop_grace_period: 0s}}")
    said = app.compose("up", "-d").stderr.decode()
    assert f"Found orphan containers ([{app.name}-job-1 {app.name}-web-1]) for this project" in said
    app.compose("up", "-d", "--remove-orphans")
    assert list(app.ids()) == [f"{app.name}-db-1"]


def test_down_and_stop_without_files(app: App) -> None:
    app.write(TWO)
    app.compose("up", "-d")
    (app.folder / "compose.yaml").unlink()
    app.compose("-p", app.name, "stop")
    app.compose("-p", app.name, "down", "-v")
    assert not any(app.left().values())


def test_dry_run_changes_nothing(app: App) -> None:
    app.write(TWO)
    said = app.compose("--dry-run", "up", "-d").stderr.decode()
    assert "DRY-RUN MODE -  start web 1" in said
    assert app.ids() == {}
