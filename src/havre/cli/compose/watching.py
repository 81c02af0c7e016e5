"""`watch`: changed files are copied into containers, or make them restart or be built anew."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterable, Iterator

from havre.cli.compose.converge import Wishes, converge
from havre.cli.compose.session import Session
from havre.cli.compose.triggers import Watched, highest, watched
from havre.client.client import Client
from havre.client.errors import ClientError
from havre.client.tar_out import gathered, member
from havre.compose.carry_out.hooks import run_hook
from havre.compose.errors import ComposeError
from havre.compose.model.names import PROJECT
from havre.compose.model.parts import Hook
from havre.compose.model.project import Project
from havre.compose.plan.images import ImageWishes
from havre.compose.present import Container, find_containers


class Watching:
    """The triggers of some services, and what they do.

    *quiet* tells only what fails; *prune* removes the images that a rebuild has replaced.
    """

    def __init__(
        self, session: Session, project: Project, services: Iterable[str], *, quiet: bool = False, prune: bool = True
    ) -> None:
        # A client of its own: `up` goes on with the session's while this runs on another thread.
        self._session = Session(session.top, session.client.another(), session.screen)
        self._client, self._project, self._quiet = self._session.client, project, quiet
        self._prune = prune
        self._watched = watched(project.services[name] for name in services)
        if not self._watched:
            raise ComposeError(
                "none of the selected services is configured for watch, consider setting a 'develop' section"
            )

    def run(self, stop: threading.Event | None = None) -> None:
        """Until *stop*, or until ctrl-C. What goes wrong with one change is told and does not end it."""
        from watchfiles import watch

        for one in self._watched:
            if one.trigger.initial_sync and "sync" in one.trigger.action:
                self._sync(one, [one.trigger.path])
        roots = highest({_folder(one.trigger.path) for one in self._watched})
        enabled = False
        # The first round without a change tells that the watch is set: what changes from then on is not missed.
        for changes in watch(
            *roots, watch_filter=None, stop_event=stop, debounce=200, step=50, rust_timeout=300, yield_on_timeout=True
        ):
            if not enabled:
                self._say("Watch enabled")
                enabled = True
            if changes:
                self._take({path for _, path in changes})

    def _take(self, paths: set[str]) -> None:
        """Let each trigger have its changes; a service is built or restarted once."""
        rebuild: dict[str, None] = {}
        restart: dict[str, None] = {}
        for one in self._watched:
            mine = sorted(path for path in paths if one.takes(path))
            if not mine:
                continue
            if one.trigger.action == "rebuild":
                rebuild.setdefault(one.service.name)
                continue
            try:
                if "sync" in one.trigger.action:
                    self._sync(one, mine)
                if "exec" in one.trigger.action and one.trigger.exec is not None:
                    self._execute(one, one.trigger.exec)
            except (ClientError, ComposeError) as error:
                self._session.progress.note(f"watch: service {one.service.name!r}: {error}")
            if "restart" in one.trigger.action:
                restart.setdefault(one.service.name)
        self._renew(list(rebuild), [name for name in restart if name not in rebuild])

    def _sync(self, one: Watched, paths: list[str]) -> None:
        """Copy what is there, remove what is no more, in every container of the service."""
        there = [path for path in highest(paths) if os.path.lexists(path)]
        gone = [one.target(path) for path in paths if not os.path.lexists(path)]
        for container in self._containers(one.service.name):
            if there:
                archive = gathered(_members(one, there))
                self._client.send("PUT", f"/containers/{container.id}/archive", {"path": "/"}, stream=archive).read()
            if gone:
                run_hook(self._client, container.id, Hook(("rm", "-rf", "--", *gone), user="0"), one.service.name)
        names = ", ".join(one.target(path) for path in paths)
        self._say(f"Syncing service {one.service.name!r} after {len(paths)} changes were detected: {names}")

    def _execute(self, one: Watched, hook: Hook) -> None:
        for container in self._containers(one.service.name):
            run_hook(self._client, container.id, hook, one.service.name)

    def _renew(self, rebuild: list[str], restart: list[str]) -> None:
        try:
            if rebuild:
                self._say(f"Rebuilding service(s) {rebuild} after changes were detected")
                images = ImageWishes(build=True)
                converge(self._session, self._project, Wishes(tuple(rebuild), frozenset(rebuild), images=images))
                self._say(f"service(s) {rebuild} successfully built")
                if self._prune:
                    marks = {"dangling": ["true"], "label": [f"{PROJECT}={self._project.name}"]}
                    self._client.act("POST", "/images/prune", {"filters": json.dumps(marks)})
            for name in restart:
                for container in self._containers(name):
                    _restart(self._client, container)
                self._say(f"service {name!r} restarted")
        except (ClientError, ComposeError) as error:
            self._session.progress.note(f"watch: {error}")

    def _containers(self, service: str) -> list[Container]:
        found = find_containers(self._client, self._project.name)
        return [one for one in found if one.service == service and not one.oneoff and one.is_running]

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._session.screen.line(text)


def _members(one: Watched, paths: list[str]) -> Iterator[bytes]:
    """*paths* with all below that the trigger takes, as members of an archive for the container's root."""
    linked: dict[tuple[int, int], bytes] = {}
    waiting = list(reversed(paths))
    while waiting:
        path = waiting.pop()
        try:
            status = os.lstat(path)
            yield from member(os.fsencode(path), os.fsencode(one.target(path).lstrip("/")), status, linked)
            if stat.S_ISDIR(status.st_mode):
                below = sorted((os.path.join(path, name) for name in os.listdir(path)), reverse=True)
                waiting += [
                    inner for inner in below if one.takes(inner) or (os.path.isdir(inner) and one.enters(inner))
                ]
        except FileNotFoundError:
            continue  # gone meanwhile: the next change tells
        except OSError as error:
            raise ClientError(f"{path}: {(error.strerror or str(error)).lower()}") from error


def _restart(client: Client, container: Container) -> None:
    client.act("POST", f"/containers/{container.id}/restart")


def _folder(path: str) -> str:
    """What can be watched: a folder, which holds the file that is meant."""
    if os.path.isdir(path):
        return path
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise ComposeError(f"cannot watch {path}: no such folder")
    return folder
