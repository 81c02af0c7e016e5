"""`watch`: changed files arrive in containers."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from tests.root.compose.conftest import App
from tests.root.compose.test_faults import until

pytestmark = [pytest.mark.root, pytest.mark.reference]

APP = """
services:
  web:
    image: busybox
    network_mode: none
    command: sleep 1000
    stop_grace_period: 0s
    develop:
      watch:
        - {path: ./src, action: sync, target: /app, ignore: ["*.tmp"], initial_sync: true}
        - {path: ./conf, action: sync+exec, target: /conf, exec: {command: sh -c "cp /conf/c /ran"}}
        - {path: ./again, action: restart}
"""


def eventually(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_files_are_synced_removed_and_trigger_restarts(app: App) -> None:
    app.write(APP)
    for name in ("src/first", "src/deep/x", "src/no.tmp", "conf/c", "again/f"):
        app.write(name, name)
    process = app.start("watch")
    assert process.stdout is not None

    def read(path: str) -> str:
        return app.compose("exec", "-T", "web", "cat", path, check=False).stdout.decode()

    def listed() -> list[str]:
        return app.out("exec", "-T", "web", "find", "/app", "-type", "f").splitlines()

    until(b"Watch enabled", process.stdout)
    assert sorted(listed()) == ["/app/deep/x", "/app/first"]
    app.write("changed", "src/first")
    eventually(lambda: read("/app/first") == "changed")
    app.write("new", "src/more/y")
    eventually(lambda: read("/app/more/y") == "new")
    (app.folder / "src/deep/x").unlink()
    eventually(lambda: "/app/deep/x" not in listed())
    app.write("conf2", "conf/c")
    eventually(lambda: read("/ran") == "conf2")
    before = app.engine.out("inspect", "-f", "{{.State.StartedAt}}", f"{app.name}-web-1")
    app.write("2", "again/f")
    eventually(lambda: app.engine.out("inspect", "-f", "{{.State.StartedAt}}", f"{app.name}-web-1") != before)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_a_change_can_rebuild(app: App) -> None:
    app.write("""
services:
  web:
    build: {context: ., dockerfile_inline: "FROM busybox\\nCOPY f /f"}
    network_mode: none
    command: sleep 1000
    stop_grace_period: 0s
    develop: {watch: [{path: ., action: rebuild}]}
""")
    app.write("one", "f")
    process = app.start("up", "--watch", "--build")
    assert process.stdout is not None
    until(b"Watch enabled", process.stdout)
    app.write("two", "f")
    eventually(lambda: app.compose("exec", "-T", "web", "cat", "/f", check=False).stdout == b"two")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    app.compose("down", "--rmi", "local")
