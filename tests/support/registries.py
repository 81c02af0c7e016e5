"""Registries under test: ours, and Debian's docker-registry, each a process of its own with a folder of its own."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from tests.support.hosts import Host
from tests.support.http import Answer

_START_S = 30


@dataclass(frozen=True)
class Reply(Answer):
    """An answer whose headers are found in any spelling."""

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), "")

    @property
    def code(self) -> str:
        """The first error code of the body."""
        return str(self.json["errors"][0]["code"])


class Registry(ABC):
    """One registry; `start` and `kill` may be repeated on the same folder."""

    NAME: ClassVar[str]

    def __init__(self, folder: Path, config: Mapping[str, Any] | None = None, host: Host | None = None) -> None:
        self.folder = folder
        self.config = dict(config or {})
        self.host = host
        self.address = "127.0.0.1"
        self.port = 0
        self.root = folder / "root"
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """The command line; `port` is set already where the registry cannot choose one."""

    def start(self, *, wait: bool = True) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.root.mkdir(exist_ok=True)
        self.port = self.port or _free_port(self.address if self.host is None else "127.0.0.1")
        line = self.command()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.host.enter(*line) if self.host is not None else line,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"{self.NAME} ended with {self.process.returncode}:\n{self.tail()}")
            if self._answers():
                return
            time.sleep(0.01)
        raise AssertionError(f"{self.NAME} does not answer:\n{self.tail()}")

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

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
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    @property
    def domain(self) -> str:
        """What stands before the slash of a reference."""
        return f"{self.address}:{self.port}"

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.address, self.port, timeout=30)

    def request(self, method: str, path: str, body: bytes | Iterator[bytes] = b"", **headers: str) -> Reply:
        """One request over a connection of its own; `Content_Type=…` is the header Content-Type."""
        connection = self.connect()
        try:
            return ask(connection, method, path, body, **headers)
        finally:
            connection.close()

    def write_config(self, document: Mapping[str, Any]) -> Path:
        path = self.folder / "config.yml"
        path.write_text(yaml.safe_dump(_merged(document, self.config)))
        return path

    def _answers(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            if self.host is not None:
                return b"listening" in self.log.read_bytes() or b"registry on" in self.log.read_bytes()
            with socket.create_connection((self.address, self.port), 1):
                return True
        return False


class HavreRegistry(Registry):
    NAME = "havre"

    def command(self) -> list[str]:
        document = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(self.root)}},
            "http": {"addr": f"{self.address}:{self.port}"},
        }
        config = self.write_config(document)
        return [sys.executable, "-m", "havre.daemon.registry_main", "--config", str(config)]


class DockerRegistry(Registry):
    NAME = "docker-registry"

    def command(self) -> list[str]:
        document = {
            "version": 0.1,
            "log": {"level": "info"},
            "storage": {"filesystem": {"rootdirectory": str(self.root)}, "delete": {"enabled": True}},
            "http": {"addr": f"{self.address}:{self.port}", "secret": "one"},
        }
        return ["docker-registry", "serve", str(self.write_config(document))]


@contextmanager
def running(registry: Registry) -> Iterator[Registry]:
    registry.start()
    try:
        yield registry
    finally:
        registry.stop()


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | Iterator[bytes] = b"",
    **headers: str,
) -> Reply:
    """One request over *connection*. A path may be a `Location`, relative or absolute."""
    path = re.sub(r"^https?://[^/]+", "", path)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body or None, given, encode_chunked=not isinstance(body, bytes))
    response = connection.getresponse()
    return Reply(response.status, dict(response.getheaders()), response.read())


def htpasswd(path: Path, users: Mapping[str, str]) -> Path:
    """A file with bcrypt hashes, by Apache's own program."""
    path.unlink(missing_ok=True)
    for at, (user, password) in enumerate(users.items()):
        flags = "-Bbc" if at == 0 else "-Bb"
        subprocess.run(["htpasswd", flags, "-C", "5", str(path), user, password], check=True, capture_output=True)
    return path


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(first)
    for key, value in second.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
        found[key] = _merged(found[key], value) if both else value
    return found


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def environment(folder: Path) -> dict[str, str]:
    """For clients that keep credentials and storage in the user's folders: all of it in *folder*."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "REGISTRY_", "XDG_"))}
    return {**kept, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "DOCKER_CONFIG": str(folder / "docker")}


def run(line: Sequence[str], folder: Path, *, host: Host | None = None, check: bool = True) -> str:
    """Run a client; gives its standard output and, when it failed, raises with its standard error."""
    done = subprocess.run(
        host.enter(*line) if host is not None else list(line),
        env=environment(folder),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(line)} ended with {done.returncode}:\n{done.stderr.decode()}")
    return (done.stdout if check else done.stdout + done.stderr).decode()
