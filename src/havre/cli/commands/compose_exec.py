"""`havre compose exec`: one more process in a service's container, on a terminal where there is one."""

from __future__ import annotations

import os

from havre.cli.compose.command import Verb
from havre.cli.compose.same_verb import passed_on, run_for_container
from havre.cli.compose.session import Session
from havre.cli.flags import Given, many, number, switch, text
from havre.cli.screen import STDIN, STDOUT


def act(given: Given, session: Session) -> int:
    """The exit code of the process."""
    service, *command = given.args
    container = session.container(service, given.number("index"))
    words = passed_on(given, "detach", "env", "privileged", "user", "workdir")
    if not given.switch("detach"):
        words += ["-i"] if given.switch("interactive") else []
        words += ["-t"] if wants_terminal(given) else []
    return run_for_container(session, "exec", [*words, container.id, *command])


def wants_terminal(given: Given) -> bool:
    """A terminal unless -T, or where standard input and output are none."""
    if given.changed("no-tty"):
        return not given.switch("no-tty")
    return given.switch("tty") and os.isatty(STDIN) and os.isatty(STDOUT)


VERB = Verb(
    summary="Execute a command in a running container",
    usage="[OPTIONS] SERVICE COMMAND [ARGS...]",
    flags=(
        switch("detach", "Detached mode: Run command in the background", short="d"),
        many("env", "Set environment variables", short="e", kind="stringArray"),
        number("index", "Index of the container if service has multiple replicas"),
        switch("interactive", "Keep STDIN open even if not attached", short="i", default=True),
        switch("no-tty", "Disable pseudo-TTY allocation. By default 'docker compose exec' allocates a TTY.", short="T"),
        switch("privileged", "Give extended privileges to the process"),
        switch("tty", "Allocate a pseudo-TTY", short="t", default=True),
        text("user", "Run the command as this user", short="u"),
        text("workdir", "Path to workdir directory for this command", short="w"),
    ),
    at_least=2,
    interspersed=False,
    act=act,
)
