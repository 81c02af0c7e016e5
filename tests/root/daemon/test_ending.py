"""E-14: SIGTERM while everything is under way, once and twice."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.engines import DOCKER, Havre
from tests.support.hosts import Host

pytestmark = pytest.mark.root

_SILENT = """
import socket
server, kept = socket.create_server(("127.0.0.1", 5999)), []
print("up", flush=True)
while True: kept.append(server.accept())
"""


@pytest.fixture
def engine(host: Host, tmp_path: Path, rootfs_tar: bytes) -> Iterator[Havre]:
    made = Havre(host, tmp_path / "hv")
    made.start()
    made.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
    yield made
    if made.process is not None and made.process.poll() is not None:
        made.extra = []
        made.start()
    made.remove_all()
    made.stop()


def restarted(engine: Havre, *extra: str) -> None:
    engine.stop()
    engine.extra = list(extra)
    engine.start()


def busy(engine: Havre, undo: ExitStack) -> None:
    """Containers deaf to SIGTERM, an attachment, followed logs and events, a pull from a silent registry."""
    silent = undo.enter_context(
        subprocess.Popen(engine.host.enter(sys.executable, "-c", _SILENT), stdout=subprocess.PIPE)
    )
    undo.callback(silent.kill)
    assert silent.stdout is not None
    silent.stdout.readline()
    for name in ("deaf1", "deaf2"):
        script = "trap '' TERM; echo up; while :; do sleep 1000; done"
        engine.docker(
            "run", "-d", "-i", "--stop-timeout", "600", "--name", name, "busybox", "sh", "-c", script, check=True
        )
    for line in (["attach", "deaf1"], ["logs", "-f", "deaf2"], ["events"], ["pull", "127.0.0.1:5999/a:b"], ["stats"]):
        client = subprocess.Popen(
            [DOCKER, *line],
            env=engine.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        undo.enter_context(client)
        undo.callback(client.kill)
    deadline = time.monotonic() + 30
    while b"images/create" not in engine.log.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.05)


def test_everything_open_and_deaf_is_out_in_time(engine: Havre) -> None:
    restarted(engine, "--live-restore=false", "--shutdown-timeout", "2", "--debug")
    with ExitStack() as undo:
        busy(engine, undo)
        pids = [int(engine.out("inspect", "-f", "{{.State.Pid}}", name)) for name in ("deaf1", "deaf2")]
        assert engine.process is not None
        engine.process.send_signal(signal.SIGTERM)
        assert engine.process.wait(15) == 0
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    with sqlite3.connect(f"file:{engine.data_root}/havre.db?mode=ro", uri=True) as records:
        assert records.execute("SELECT value FROM facts WHERE name = 'clean'").fetchone() is not None
    assert "Traceback" not in engine.log.read_text()


def test_a_second_signal_hurries(engine: Havre) -> None:
    restarted(engine, "--live-restore=false", "--shutdown-timeout", "600", "--debug")
    with ExitStack() as undo:
        busy(engine, undo)
        heard = engine.log.read_text().count("Processing signal")
        assert engine.process is not None
        engine.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 15
        while engine.log.read_text().count("Processing signal") == heard:  # two at once would be one
            assert time.monotonic() < deadline
            time.sleep(0.02)
        engine.process.send_signal(signal.SIGTERM)
        engine.process.wait(15)
    assert "forced to end by a second signal" in engine.log.read_text()
    assert "Traceback" not in engine.log.read_text()
    engine.extra = []
    engine.start()
    for name in ("deaf1", "deaf2"):
        assert engine.out("inspect", "-f", "{{.State.Status}}", name) in {"running", "exited"}
        engine.docker("rm", "-f", name, check=True)
