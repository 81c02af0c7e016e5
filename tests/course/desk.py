"""A student's desk: a shell on a machine with the engine, where `docker` is one command line or the other."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from tests.support.engines import Havre
from tests.support.terminal import Terminal, on_terminal


class Desk:
    """Where the course's lines are typed, word for word."""

    def __init__(self, engine: Havre, folder: Path, client: str) -> None:
        self.engine = engine
        self.folder = folder
        self.client = client
        programs = folder / "bin"
        programs.mkdir()
        if client == "havre":
            (programs / "docker").symlink_to(Path(sys.executable).parent / "havre")
        self._environment = {**engine.environment(), "HOME": str(folder)}
        self._environment["PATH"] = f"{programs}:{self._environment['PATH']}"

    def type(self, line: str, *, code: int = 0, stdin: str = "") -> str:
        """What a shell line shows, both streams, without the last line end; it must end with *code*."""
        done = subprocess.run(
            self.engine.host.enter("bash", "-c", f"exec 2>&1; {line}"),
            env=self._environment,
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, done.stdout
        return done.stdout.removesuffix("\n")

    def on_terminal(self, line: str) -> AbstractContextManager[Terminal]:
        """The same with a person at a terminal."""
        return on_terminal(self.engine.host.enter("bash", "-c", f"exec {line}"), self._environment)

    def page(self, url: str) -> str:
        """What a browser shows, once the server listens: a container runs a little before its program does."""
        return self.type(f"until busybox wget -qO- {url} 2>/dev/null; do sleep 0.02; done")

    def rows(self, line: str) -> list[list[str]]:
        """The rows of a table that *line* shows, without its head, cut where columns are."""
        return [re.split(r"\s{2,}", row.rstrip()) for row in self.type(line).splitlines()[1:]]
