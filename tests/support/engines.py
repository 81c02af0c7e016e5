"""Engines under test: a havred and Debian's dockerd, each in a test host with folders of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, ClassVar

from tests.support.hosts import Host
from tests.support.http import Api, UnixConnection

DOCKER = "docker"
PYTHON = sys.executable
_START_S = 30


class Engine(ABC):
    """One engine process and its folders; `start` and `kill` may be repeated on the same folders."""

    NAME: ClassVar[str]

    def __init__(self, host: Host, folder: Path, extra: Sequence[str] = ()) -> None:
        self.host = host
        self.folder = folder
        self.extra = list(extra)
        self.data_root = folder / "data"
        self.exec_root = folder / "exec"
        self.socket = folder / "d.sock"
        self.pidfile = folder / "pid"
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """The daemon's command line, without the folders."""

    def start(self, *, wait: bool = True) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        places = ["--data-root", str(self.data_root), "--exec-root", str(self.exec_root)]
        places += ["-H", f"unix://{self.socket}", "--pidfile", str(self.pidfile)]
        with self.log.open("ab") as log:
            line = self.host.enter(*self.command(), *places, *self.extra)
            self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"{self.NAME} ended with {self.process.returncode}:\n{self.tail()}")
            with suppress(OSError), closing(UnixConnection(self.socket, 10)) as connection:
                connection.request("GET", "/_ping")
                if connection.getresponse().status == 200:
                    return
            time.sleep(0.01)
        raise AssertionError(f"{self.NAME} does not answer:\n{self.tail()}")

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid  # nsenter replaces itself: the pid is the daemon's own

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def api(self, version: str = "1.41") -> Api:
        return Api(self.socket, version)

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("DOCKER_")}
        return {**kept, "DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(self.folder / "config")}

    def docker(
        self, *args: str, check: bool = False, stdin: bytes | IO[bytes] | None = None, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the real docker CLI against this engine."""
        return run_client([DOCKER, *args], self.environment(), check=check, stdin=stdin, timeout_s=timeout_s)

    def build(
        self, *args: str, check: bool = False, stdin: bytes | None = None, timeout_s: float = 120
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the real `docker build` without BuildKit against this engine."""
        environment = {**self.environment(), "DOCKER_BUILDKIT": "0"}
        return run_client([DOCKER, "build", *args], environment, check=check, stdin=stdin, timeout_s=timeout_s)

    def out(self, *args: str) -> str:
        """The standard output of a docker command that must succeed, without its last newline."""
        return self.docker(*args, check=True).stdout.decode().rstrip("\n")

    def remove_all(self) -> None:
        ids = self.out("ps", "-aq").split()
        if ids:
            self.docker("rm", "-f", *ids, check=True)


class Havre(Engine):
    NAME = "havred"

    def command(self) -> list[str]:
        return [PYTHON, "-m", "havre.daemon.main"]

    def havre(
        self, *args: str, check: bool = False, stdin: bytes | None = None, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the `havre` command line against this engine."""
        return run_client(
            [PYTHON, "-m", "havre.cli.main", *args],
            self.environment(),
            check=check,
            stdin=stdin,
            timeout_s=timeout_s,
        )


class Reference(Engine):
    NAME = "dockerd"

    def command(self) -> list[str]:
        return ["dockerd"]

    def stop(self) -> None:
        """It leaves the host's namespace pinned where a container used it."""
        super().stop()
        for pinned in (self.exec_root / "netns").glob("*"):
            subprocess.run(["umount", "-l", str(pinned)], check=False, capture_output=True)


def run_client(
    line: Sequence[str],
    environment: Mapping[str, str],
    *,
    check: bool,
    stdin: bytes | IO[bytes] | None,
    timeout_s: float,
) -> subprocess.CompletedProcess[bytes]:
    given: dict[str, object] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin or subprocess.DEVNULL}
    done: subprocess.CompletedProcess[bytes] = subprocess.run(  # type: ignore[call-overload]  # noqa: PLW1510  input or stdin
        list(line), env=dict(environment), capture_output=True, timeout=timeout_s, **given
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(line)} ended with {done.returncode}:\n{done.stderr.decode()}")
    return done


@contextmanager
def running(engine: Engine) -> Iterator[Engine]:
    engine.start()
    try:
        yield engine
    finally:
        try:
            engine.remove_all()
        finally:
            engine.stop()
