"""`havre stats`: what containers use, redrawn every half second."""

from __future__ import annotations

import json
import threading

from havre.cli.command import Command
from havre.cli.flags import Given, switch, text
from havre.cli.listing import Listing
from havre.cli.screen import Screen
from havre.cli.usage_figures import COLUMNS, HEADERS, stats_row
from havre.client.client import Client
from havre.client.errors import ApiError, ClientError
from havre.wire.containers import ContainerSummary
from havre.wire.stats import ContainerStats

_REDRAW_S = 0.5


class _Page(Screen):
    """Holds the lines of one drawing."""

    def __init__(self, program: str) -> None:
        super().__init__(program)
        self.lines: list[str] = []

    def line(self, text: str = "") -> None:
        """Keep it."""
        self.lines.append(text)


class _Watched:
    """The newest line of each container; what fails is kept and told once."""

    def __init__(self) -> None:
        self.lines: dict[str, ContainerStats | None] = {}
        self.errors: list[str] = []
        self.heard = threading.Event()

    def follow(self, name: str, client: Client, *, stream: bool) -> None:
        """Read *name*'s statistics until they end."""
        query = {"stream": "1" if stream else "0"}
        try:
            for line in client.send("GET", f"/containers/{name}/stats", query).lines():
                self.lines[name] = json.loads(line)
                self.heard.set()
        except (ApiError, ClientError) as error:
            self.errors.append(f"Error response from daemon: {error}" if isinstance(error, ApiError) else str(error))
        if stream or name not in self.lines or self.lines[name] is None:
            self.lines.pop(name, None)
        self.heard.set()


def run(given: Given, client: Client, screen: Screen) -> int:
    """A table of the named containers, or of all that run."""
    stream, every = not given.switch("no-stream"), given.switch("all")
    if given.args:
        names = given.args
    else:
        rows: list[ContainerSummary] = client.get("/containers/json", list, {"all": every})
        names = [(row.get("Id") or "") for row in rows]
    watched = _Watched()
    watched.lines = dict.fromkeys(names)
    threads = [
        threading.Thread(target=watched.follow, args=(name, client.another()), kwargs={"stream": stream}, daemon=True)
        for name in names
    ]
    for thread in threads:
        thread.start()
    if not stream:
        for thread in threads:
            thread.join()
        if watched.errors:
            raise ClientError("\n".join(watched.errors))
        _draw(given, watched, screen)
        return 0
    return _redraw(given, threads, watched, screen)


def _redraw(given: Given, threads: list[threading.Thread], watched: _Watched, screen: Screen) -> int:
    """Until nothing is left to follow."""
    if threads:
        watched.heard.wait()
    while True:
        page = _Page(screen.program)
        _draw(given, watched, page)
        screen.write(("\x1b[H" + "".join(f"{line}\x1b[K\n" for line in page.lines) + "\x1b[J").encode())
        if watched.errors:
            raise ClientError("\n".join(watched.errors))
        for thread in threads:
            thread.join(_REDRAW_S / len(threads))
        if not any(thread.is_alive() for thread in threads):
            return 0


def _draw(given: Given, watched: _Watched, screen: Screen) -> None:
    trim = not given.switch("no-trunc")
    rows = [stats_row(name, line, trim=trim) for name, line in list(watched.lines.items())]
    Listing(HEADERS, COLUMNS, "*container.statsContext").print(rows, given.text("format"), screen)


COMMAND = Command(
    summary="Display a live stream of container(s) resource usage statistics",
    usage="[OPTIONS] [CONTAINER...]",
    flags=(
        switch("all", "Show all containers (default shows just running)", short="a"),
        text("format", "Format output using a custom template: table, 'table TEMPLATE', json or TEMPLATE"),
        switch("no-stream", "Disable streaming stats and only pull the first result"),
        switch("no-trunc", "Do not truncate output"),
    ),
    run=run,
)
