"""Debian's docker-registry in a test host: plain, with passwords, with TLS."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.hosts import Host

USER, PASSWORD = "ann", "s3cret-canary"
_START_S = 20


@dataclass
class Registry:
    """A registry that listens on *port* of its host's loopback."""

    host: Host
    folder: Path
    port: int = 5000
    config: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    address: str = "127.0.0.1"

    @property
    def name(self) -> str:
        return f"localhost:{self.port}"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "config.yml"
        document = {
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "store")}, "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{self.port}", **self.config.get("http", {})},
            **{key: value for key, value in self.config.items() if key != "http"},
        }
        file.write_text(json.dumps(document))  # JSON is YAML
        with (self.folder / "log").open("ab") as log:
            line = self.host.enter("docker-registry", "serve", str(file))
            self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_S
        probe = f"import socket; socket.create_connection(('{self.address}', {self.port}), 1)"
        while self.host.run("python3", "-c", probe, check=False).returncode:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.05)


@contextmanager
def running(registry: Registry) -> Iterator[Registry]:
    registry.start()
    try:
        yield registry
    finally:
        registry.stop()


def passwords(folder: Path) -> dict[str, Any]:
    """The part of a config that asks for USER and PASSWORD."""
    file = folder / "htpasswd"
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["htpasswd", "-cbB", str(file), USER, PASSWORD], check=True, capture_output=True)
    return {"auth": {"htpasswd": {"realm": "test", "path": str(file)}}}
