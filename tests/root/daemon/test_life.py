"""A daemon from its first moment to its last, with the real docker command."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.fakes.certificates import Authority
from tests.support.engines import Havre, running
from tests.support.hosts import Host

pytestmark = pytest.mark.root

_PLAIN_ASYNCIO = "import sys; sys.modules['uvloop'] = None\nfrom havre.daemon.main import main\nsys.exit(main())"


class WithoutUvloop(Havre):
    NAME = "havred on asyncio's own loop"

    def command(self) -> list[str]:
        return [sys.executable, "-c", _PLAIN_ASYNCIO]


@contextmanager
def started(engine: Havre) -> Iterator[Havre]:
    """It may have ended, or left containers, when the block ends."""
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


@pytest.fixture
def havred(host: Host, tmp_path: Path) -> Iterator[Havre]:
    with started(Havre(host, tmp_path / "hv")) as engine:
        yield engine


def refused(engine: Havre, *words: str) -> str:
    """What a start says that must fail."""
    done = subprocess.run(
        engine.host.enter(*engine.command(), *words), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    return done.stderr


def test_the_real_client_finds_a_docker_engine(havred: Havre) -> None:
    shown = havred.out("version", "--format", "{{.Server.Version}} {{.Server.APIVersion}} {{.Server.MinAPIVersion}}")
    assert shown == "28.2.2 1.50 1.24"
    assert havred.out("info", "--format", "{{.Driver}} {{.ServerVersion}}") == "overlay2 28.2.2"


def test_hello_world_needs_nothing_else(havred: Havre) -> None:
    assert "Hello from Havre!" in havred.out("run", "--rm", "hello-world")


def test_files_are_for_their_owners(havred: Havre) -> None:
    """A-07."""
    assert stat.S_IMODE(havred.socket.stat().st_mode) == 0o660
    assert stat.S_IMODE(havred.data_root.stat().st_mode) & 0o007 == 0
    for path in havred.data_root.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o022 == 0, path
    assert havred.pidfile.read_text() == str(havred.pid)
    links = set()
    for entry in Path(f"/proc/{havred.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since the folder was read
            links.add(os.readlink(entry))
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    table = Path(f"/proc/{havred.pid}/net/unix").read_text().splitlines()[1:]
    abstract = [line for line in table if line.split()[6] in inodes and " @" in line]
    assert not abstract
    tcp = Path(f"/proc/{havred.pid}/net/tcp").read_text().splitlines()[1:]
    assert not [line for line in tcp if line.split()[9] in inodes]


def test_a_second_daemon_on_the_same_folders_is_refused(havred: Havre) -> None:
    """E-17."""
    places = ["--exec-root", str(havred.exec_root), "--pidfile", str(havred.folder / "p2")]
    other = ["-H", f"unix://{havred.folder}/other.sock"]
    assert "in use by another havred" in refused(havred, "--data-root", str(havred.data_root), *places, *other)
    fresh = ["--data-root", str(havred.folder / "data2"), *places, "-H", f"unix://{havred.socket}"]
    assert "another daemon answers there" in refused(havred, *fresh)
    assert havred.api().get("/_ping").status == 200


def test_a_daemon_that_was_killed_starts_again(havred: Havre) -> None:
    havred.kill()
    assert havred.socket.exists()
    havred.start()
    assert havred.api().get("/info").status == 200


def test_sigterm_ends_it_in_order(havred: Havre) -> None:
    """E-14, as far as nothing runs: with a stream open and a request half sent."""
    stream = havred.api()
    stream._connection.request("GET", "/events")
    answer = stream._connection.getresponse()
    assert answer.status == 200
    with socket.socket(socket.AF_UNIX) as half:
        half.connect(str(havred.socket))
        half.sendall(b"GET /info HTTP/1.1\r\n")
        began = time.monotonic()
        assert havred.process is not None
        havred.process.send_signal(signal.SIGTERM)
        assert havred.process.wait(15) == 0
        assert time.monotonic() - began < 15
    stream.close()
    assert not havred.socket.exists()
    assert not havred.pidfile.exists()


def test_sighup_reads_the_file_again(host: Host, tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    file.write_text("{}")
    with started(Havre(host, tmp_path / "hv", ["--config-file", str(file)])) as engine:
        _hang_up(engine, "Reloaded configuration", 1)
        engine.api().get("/containers/nosuch/json")
        assert "level=debug" not in engine.log.read_text()
        file.write_text('{"debug": true}')
        _hang_up(engine, "Reloaded configuration", 2)
        engine.api().get("/containers/nosuch/json")
        assert "Calling GET /v1.41/containers/nosuch/json" in engine.log.read_text()
        more = {"registry-mirrors": ["https://mirror.invalid"], "max-concurrent-uploads": 2}
        file.write_text(json.dumps({"debug": True, "labels": ["a=b"], "runtimes": {"crun": {"path": "crun"}}, **more}))
        _hang_up(engine, "Reloaded configuration", 3)
        info = engine.api().get("/info").json
        assert info["Labels"] == ["a=b"]
        assert "crun" in info["Runtimes"]
        past = ("--since", "1h", "--until", f"{time.time():.9f}")
        told = engine.out("events", *past, "--filter", "type=daemon", "--format", "{{json .}}")
        event = json.loads(told.splitlines()[-1])
        assert (event["Action"], event["Actor"]["ID"]) == ("reload", info["ID"])
        assert event["Actor"]["Attributes"]["labels"] == "[a=b]"
        assert event["Actor"]["Attributes"]["max-concurrent-uploads"] == "2"
        assert info["RegistryConfig"]["Mirrors"] == ["https://mirror.invalid"]
        file.write_text('{"nosuch": true}')
        _hang_up(engine, "cannot reload the configuration", 1)
        assert engine.api().get("/_ping").status == 200


def test_containers_go_on_without_it_unless_told_otherwise(host: Host, tmp_path: Path, rootfs_tar: bytes) -> None:
    engine = Havre(host, tmp_path / "hv")
    with started(engine):
        engine.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
        engine.out("run", "-d", "--name", "stays", "busybox", "sleep", "1000")
        pid = engine.out("inspect", "-f", "{{.State.Pid}}", "stays")
    assert Path(f"/proc/{pid}").exists()
    engine.extra = ["--live-restore=false", "--shutdown-timeout", "1"]
    with started(engine):
        assert engine.out("inspect", "-f", "{{.State.Pid}}", "stays") == pid
    assert not Path(f"/proc/{pid}").exists()
    with running(engine):
        assert engine.out("inspect", "-f", "{{.State.Status}}", "stays") == "exited"
        engine.remove_all()


def test_everything_works_without_uvloop(host: Host, tmp_path: Path, rootfs_tar: bytes) -> None:
    with running(WithoutUvloop(host, tmp_path / "hv")) as engine:
        engine.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
        assert engine.docker("run", "--rm", "-i", "busybox", "cat", stdin=b"x" * 300_000).stdout == b"x" * 300_000
        assert engine.out("run", "--rm", "busybox", "echo", "hi") == "hi"


def test_over_tls_a_half_closed_run_hears_everything(host: Host, tmp_path: Path, rootfs_tar: bytes) -> None:
    """The fault that makes every attached `docker run` print nothing over the usual TLS of event loops."""
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("localhost", client=False)
    mine, my_key = authority.issue("client", client=True)
    stranger, strange_key = Authority(tmp_path / "other").issue("client", client=True)
    tls = ["--tlsverify", f"--tlscacert={authority.certificate}"]
    extra = ["-H", "tcp://127.0.0.1:2376", *tls, f"--tlscert={certificate}", f"--tlskey={key}"]
    with running(Havre(host, tmp_path / "hv", extra)) as engine:
        engine.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)

        def docker(*words: str, stdin: bytes = b"", own: bool = True) -> subprocess.CompletedProcess[bytes]:
            pair = (mine, my_key) if own else (stranger, strange_key)
            line = ["docker", "-H", "tcp://127.0.0.1:2376", *tls, f"--tlscert={pair[0]}", f"--tlskey={pair[1]}"]
            return subprocess.run(
                host.enter(*line, *words),
                input=stdin,
                capture_output=True,
                timeout=60,
                check=False,
                env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)},
            )

        assert docker("run", "--rm", "busybox", "echo", "hi").stdout == b"hi\n"
        payload = os.urandom(5_000_000)
        assert docker("run", "--rm", "-i", "busybox", "cat", stdin=payload).stdout == payload
        assert docker("version", own=False).returncode != 0


def test_a_wrong_configuration_stops_the_start(host: Host, tmp_path: Path) -> None:
    engine = Havre(host, tmp_path / "hv")
    places = ["--data-root", str(tmp_path / "d"), "--exec-root", str(tmp_path / "e"), "-p", str(tmp_path / "p")]
    places += ["-H", f"unix://{tmp_path}/s"]
    assert "overlay2" not in refused(engine, "--nosuch")
    assert "failed to start daemon" in refused(engine, *places, "--bip", "x")
    assert "TLS" in refused(engine, *places, "-H", "tcp://127.0.0.1:0", "--tlsverify", "--tlscert", "/nosuch")
    assert not (tmp_path / "s").exists()
    assert not (tmp_path / "p").exists()


def _hang_up(engine: Havre, answer: str, times: int) -> None:
    assert engine.process is not None
    engine.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while len(re.findall(answer, engine.log.read_text())) < times:
        assert time.monotonic() < deadline, engine.tail()
        time.sleep(0.01)
