"""`up` in the foreground: what the containers say, until they end or the user has had enough."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from havre.cli.compose.converge import Wishes, carry_out, converge, doer_for
from havre.cli.compose.following import Speaker, attach, follow
from havre.cli.compose.printer import Printer, Style
from havre.cli.compose.session import Session
from havre.client.client import json_lines
from havre.client.errors import ClientError
from havre.compose.carry_out.doer import Doer
from havre.compose.model.names import ONEOFF, PROJECT, SERVICE
from havre.compose.model.project import Project
from havre.compose.plan.down import plan_stop
from havre.compose.present import Container, Present, find_containers
from havre.wire.containers import ContainerInspect


class Ending(Struct, frozen=True):
    """What ends everything: any container's end, a failing one's, and whose exit code counts."""

    on_exit: bool = False
    on_failure: bool = False
    code_from: str = ""
    timeout_s: int | None = None


class _Event(Struct, frozen=True):
    action: str
    id: str
    name: str
    service: str
    code: int
    time_ns: int


class Attached:
    """One `up` in the foreground. *shown* are the services whose output is shown."""

    def __init__(self, session: Session, project: Project, shown: frozenset[str], ending: Ending, style: Style) -> None:
        self._session, self._project, self._shown, self._ending = session, project, shown, ending
        self._style = style
        self._printer = Printer(style, held=True)
        self._events: queue.SimpleQueue[_Event | None] = queue.SimpleQueue()
        self._threads: dict[str, threading.Thread] = {}
        self._alive: set[str] = set()
        self._own_starts: set[str] = set()
        self._code = 0

    def run(self, wishes: Wishes, meanwhile: Callable[[], None] | None = None) -> int:
        """Converge, show, and end as *ending* says: the exit code. *meanwhile* runs on a thread once all is up."""
        services = [self._project.services[name] for name in wishes.services]
        names = [f"{one.name}-{n}" for one in services if one.name in self._shown for n in range(1, one.replicas + 1)]
        self._printer.know(names)
        self._listen()
        try:
            doer = converge(self._session, self._project, replace(wishes, before_start=self._before_start))
            self._take_up(doer, wishes)
            if meanwhile is not None:
                threading.Thread(target=meanwhile, daemon=True).start()
            return self._until_the_end(set(wishes.services), watching=meanwhile is not None)
        except KeyboardInterrupt:
            self._session.progress.close()
            self._printer.release()
            self._stop_gracefully()
            return 130
        finally:
            self._printer.release()

    def _listen(self) -> None:
        filters = json.dumps(
            {
                "type": ["container"],
                "event": ["start", "die", "destroy"],
                "label": [f"{PROJECT}={self._project.name}", f"{ONEOFF}=False"],
            }
        )
        response = self._session.client.another().send("GET", "/events", {"filters": filters})

        def read() -> None:
            with contextlib.suppress(ClientError):
                for line in json_lines(response):
                    self._events.put(_event(line))
            self._events.put(None)

        threading.Thread(target=read, name="events", daemon=True).start()

    def _before_start(self, container: str, name: str) -> None:
        """Attach before the container says its first word."""
        self._own_starts.add(container)
        client = self._session.client.another()
        found = client.get(f"/containers/{container}/json", ContainerInspect)
        config = found.get("Config") or {}
        service = (config.get("Labels") or {}).get(SERVICE, "")
        if service in self._shown:
            who = Speaker(container, self._short(name), bool(config.get("Tty")))
            self._threads[container] = attach(client, who, self._printer)

    def _take_up(self, doer: Doer, wishes: Wishes) -> None:
        """Attach to what ran already, and remember who must end before all is over."""
        self._session.progress.close()
        present = find_containers(self._session.client, self._project.name)
        mine = {identifier for service in wishes.services for identifier, _ in doer.ids(service)}
        for one in present:
            if one.id not in mine or one.oneoff:
                continue
            if one.is_running:
                self._alive.add(one.id)
                if one.id not in self._threads and one.service in self._shown:
                    client = self._session.client.another()
                    tty = self._project.services[one.service].tty
                    self._threads[one.id] = attach(client, Speaker(one.id, self._short(one.name), tty), self._printer)
            elif one.id in self._threads:
                self._alive.add(one.id)  # it ended already: its event is on the way
        names = [self._short(one.name) for one in present if one.id in self._threads]
        self._printer.know(names)
        self._session.screen.line(f"Attaching to {', '.join(names)}")
        self._printer.release()

    def _until_the_end(self, services: set[str], *, watching: bool) -> int:
        """Until every container has ended; while files are watched, until ctrl-C."""
        while self._alive or watching:
            event = self._events.get()
            if event is None:
                raise ClientError("the engine ended the stream of events")
            if event.action == "start" and event.service in services:
                self._started(event)
            elif event.action == "destroy":
                self._alive.discard(event.id)
            elif event.id in self._alive and self._ended(event):
                return self._code
        for thread in self._threads.values():
            thread.join(5)
        return self._code

    def _started(self, event: _Event) -> None:
        """A container that was started again, or made anew: its words come from its log."""
        if event.id in self._own_starts:
            self._own_starts.discard(event.id)
            return
        self._alive.add(event.id)
        thread = self._threads.get(event.id)
        if event.service in self._shown and not (thread and thread.is_alive()):
            since = f"{event.time_ns // 10**9}.{event.time_ns % 10**9:09d}"
            who = Speaker(event.id, self._short(event.name), self._project.services[event.service].tty)
            self._threads[event.id] = follow(self._session.client, who, {"since": since}, self._printer)

    def _ended(self, event: _Event) -> bool:
        """Take notice of a container's end; whether it ends everything."""
        if (thread := self._threads.get(event.id)) is not None:
            thread.join(5)
        if event.service in self._shown:
            self._printer.remark(self._short(event.name), f"exited with code {event.code}")
        if not self._starts_again(event.id):
            self._alive.discard(event.id)
        ending = self._ending
        if event.service == ending.code_from:
            self._code = event.code
        if ending.on_exit or (ending.on_failure and event.code):
            self._code = self._code if ending.code_from else event.code
            self._session.screen.line("Aborting on container exit...")
            self._stop_all()
            return True
        return False

    def _starts_again(self, container: str) -> bool:
        try:
            state = self._session.client.get(f"/containers/{container}/json", ContainerInspect).get("State") or {}
        except ClientError:
            return False
        return bool(state.get("Restarting") or state.get("Running"))

    def _stop_gracefully(self) -> None:
        self._session.screen.line("Gracefully Stopping... press Ctrl+C again to force")
        try:
            self._stop_all()
        except KeyboardInterrupt:
            for one in self._mine():
                if one.is_running:
                    with contextlib.suppress(ClientError):
                        self._session.client.another().act("POST", f"/containers/{one.id}/kill")

    def _stop_all(self) -> None:
        """Stop every container of the application, and remember the code of the one that counts."""
        present = Present(tuple(self._mine()))
        doer = doer_for(self._session, self._project.name, self._project, present, self._ending.timeout_s)
        carry_out(self._session, doer, plan_stop(present.containers))
        counted = [one for one in self._mine() if one.service == self._ending.code_from]
        if counted:
            state = self._session.client.get(f"/containers/{counted[0].id}/json", ContainerInspect).get("State") or {}
            self._code = state.get("ExitCode") or 0

    def _mine(self) -> list[Container]:
        client = self._session.client.another()
        return [one for one in find_containers(client, self._project.name) if not one.oneoff]

    def _short(self, name: str) -> str:
        return name.removeprefix(f"{self._project.name}{self._project.separator}")


def _event(line: dict[str, object]) -> _Event:
    actor = line.get("Actor")
    attributes = actor.get("Attributes") if isinstance(actor, dict) else None
    given: dict[str, str] = attributes if isinstance(attributes, dict) else {}
    time_ns = line.get("timeNano")
    code = str(given.get("exitCode", "0"))
    return _Event(
        str(line.get("Action") or ""),
        str(actor.get("ID") or "") if isinstance(actor, dict) else "",
        str(given.get("name", "")),
        str(given.get(SERVICE, "")),
        int(code) if code.isdecimal() else 0,
        time_ns if isinstance(time_ns, int) else 0,
    )
