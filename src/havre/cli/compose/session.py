"""One command line of compose: the application it means, the engine, and where to tell what happens."""

from __future__ import annotations

import os

from havre.cli.compose.progress import Plain, Terminal, progress_for
from havre.cli.flags import Given
from havre.cli.screen import STDERR, STDOUT, Screen
from havre.client.client import Client
from havre.compose.carry_out.clients import Clients
from havre.compose.carry_out.run import DEFAULT_PARALLEL
from havre.compose.errors import ComposeError, NoFile
from havre.compose.load import Loaded, Wishes, load, named_project
from havre.compose.model.project import Project
from havre.compose.model.service import Service
from havre.compose.present import Container, find_containers


class Session:
    """Made once for a command line; the application is read when it is first asked for."""

    def __init__(self, top: Given, client: Client, screen: Screen) -> None:
        self.top, self.client, self.screen = top, client, screen
        self.clients = Clients(client)
        self._progress: Plain | Terminal | None = None

    @property
    def dry(self) -> bool:
        """Whether nothing may be changed."""
        return self.top.switch("dry-run")

    @property
    def progress(self) -> Plain | Terminal:
        """Where to tell what happens."""
        if self._progress is None:
            mode = self.top.text("progress") or os.environ.get("COMPOSE_PROGRESS", "") or "auto"
            self._progress = progress_for(mode, self.screen, colours=self.colours(STDERR), dry=self.dry)
        return self._progress

    @property
    def parallel(self) -> int:
        """How many steps may be under way at once."""
        given = self.top.number("parallel") if self.top.changed("parallel") else 0
        if not given:
            text = os.environ.get("COMPOSE_PARALLEL_LIMIT", "")
            given = int(text) if text.lstrip("-").isdecimal() else 0
        return given if given > 0 else DEFAULT_PARALLEL

    def colours(self, stream: int = STDOUT) -> bool:
        """Whether escape sequences may be written to *stream*."""
        wish = os.environ.get("COMPOSE_ANSI", "auto") if not self.top.changed("ansi") else self.top.text("ansi")
        if self.top.switch("no-ansi") or wish == "never" or os.environ.get("NO_COLOR"):
            return False
        return wish == "always" or self.screen.is_terminal(stream)

    def loaded(self, **changes: object) -> Loaded:
        """The application as its files tell it, its warnings told. Raises ComposeError."""
        made = load(self._wishes(**changes), os.environ)
        for warning in made.project.warnings:
            self.progress.note(warning)
        return made

    def project(self, services: tuple[str, ...] | list[str] = ()) -> Project:
        """The application; *services* must be among its own. Raises ComposeError."""
        project = self.loaded(services=tuple(services)).project
        for name in services:
            if name not in project.services:
                raise ComposeError(f"no such service: {name}")
        return project

    def project_or_name(self, services: tuple[str, ...] | list[str] = ()) -> tuple[str, Project | None]:
        """The name of the application, and what its files tell where there are any.

        With `-p` and no file the containers' labels alone tell what there is. Raises ComposeError.
        """
        name = self.top.text("project-name") or os.environ.get("COMPOSE_PROJECT_NAME", "")
        try:
            project = self.project(services)
        except NoFile:
            if not name or self.top.many("file"):
                raise
            return named_project(name, os.environ, os.getcwd()), None
        return project.name, project

    def containers(self, services: list[str] | tuple[str, ...] = (), *, oneoff: bool = False) -> list[Container]:
        """The application's containers (of *services*); those of `run` only with *oneoff*. Raises ComposeError."""
        name, _ = self.project_or_name(services)
        found = [one for one in find_containers(self.client, name) if oneoff or not one.oneoff]
        return [one for one in found if not services or one.service in services]

    def container(self, service: str, index: int = 0) -> Container:
        """Container *index* of *service*, the first when it is 0. Raises ComposeError."""
        found = [one for one in self.containers([service]) if index in (0, one.number)]
        if not found:
            if index:
                raise ComposeError(f'service "{service}" is not running container #{index}')
            raise ComposeError(f'service "{service}" is not running')
        return next((one for one in found if one.is_running), found[0])

    def silence(self) -> None:
        """Tell failures only."""
        self._progress = Plain(silent=True)

    def _compatible(self) -> bool:
        """Whether names are those of the first Compose."""
        wish = os.environ.get("COMPOSE_COMPATIBILITY", "").lower() in ("1", "true")
        return self.top.switch("compatibility") if self.top.changed("compatibility") else wish

    def _wishes(self, **changes: object) -> Wishes:
        top = self.top
        given: dict[str, object] = {
            "files": tuple(top.many("file")),
            "project_name": top.text("project-name"),
            "project_directory": top.text("project-directory") or top.text("workdir"),
            "env_files": tuple(top.many("env-file")),
            "profiles": tuple(top.many("profile")),
            "separator": "_" if self._compatible() else "-",
        }
        return Wishes(**{**given, **changes})  # type: ignore[arg-type]  # by name, as Wishes has them


def with_dependencies(project: Project, names: list[str] | tuple[str, ...]) -> dict[str, Service]:
    """The services *names* and all that they depend on, in the order of the file; all when there are none."""
    if not names:
        return dict(project.services)
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in project.services and name not in wanted:
            wanted.add(name)
            waiting += project.services[name].depends_on
    return {name: service for name, service in project.services.items() if name in wanted}
