"""Applications in folders of their own, driven by `havre compose` against an engine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.engines import Engine, run_client

LINE = [sys.executable, "-m", "havre.cli.main", "compose"]


class App:
    """One application in *folder* on *engine*."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder

    @property
    def name(self) -> str:
        return self.folder.name

    def write(self, text: str, name: str = "compose.yaml") -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def line(self, *words: str) -> list[str]:
        return [*LINE, "--project-directory", str(self.folder), *words]

    def compose(
        self, *words: str, check: bool = True, stdin: bytes | None = None, **environment: str
    ) -> subprocess.CompletedProcess[bytes]:
        return run_client(
            self.line(*words), {**self.environment(), **environment}, check=check, stdin=stdin, timeout_s=90
        )

    def out(self, *words: str, **environment: str) -> str:
        return self.compose(*words, check=True, stdin=None, **environment).stdout.decode().rstrip("\n")

    def environment(self) -> Mapping[str, str]:
        root = str(Path(__file__).parents[3])
        return {**self.engine.environment(), "PYTHONPATH": f"{root}/src", "COMPOSE_PROJECT_NAME": self.name}

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """The command in the background, with the signals of a fresh process."""
        return subprocess.Popen(
            self.line(*words),
            env=dict(self.environment()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
        )

    def ids(self) -> dict[str, str]:
        """The id of each container by name."""
        mark = f"label=com.docker.compose.project={self.name}"
        rows = self.engine.out(
            "ps", "-a", "--no-trunc", "--filter", mark, "--format", "{{.Names}} {{.ID}}"
        ).splitlines()
        return dict(sorted(tuple(row.split(" ")) for row in rows))  # type: ignore[misc]  # two words each

    def left(self) -> dict[str, str]:
        """Everything that still carries the application's label."""
        mark = f"label=com.docker.compose.project={self.name}"
        return {
            "containers": self.engine.out("ps", "-aq", "--filter", mark),
            "networks": self.engine.out("network", "ls", "-q", "--filter", mark),
            "volumes": self.engine.out("volume", "ls", "-q", "--filter", mark),
        }


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[Callable[[Engine], App]]:
    made: list[App] = []

    def make(engine: Engine) -> App:
        folder = tmp_path / f"app{os.urandom(3).hex()}"
        folder.mkdir()
        made.append(App(engine, folder))
        return made[-1]

    yield make
    for app in made:
        deadline = time.monotonic() + 30
        app.compose("down", "-v", "-t", "0", "--remove-orphans", check=False)
        while any(left := app.left().values()):  # dockerd gives a network's last endpoint back behind its answer
            assert time.monotonic() < deadline, left
            app.compose("down", "-v", "-t", "0", "--remove-orphans", check=False)


@pytest.fixture
def app(either: Engine, make_app: Callable[[Engine], App]) -> App:
    """The same test, once on Havre and once on the reference."""
    return make_app(either)
