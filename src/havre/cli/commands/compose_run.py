"""`havre compose run`: one container of a service for one command, beside those of `up`."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex

from msgspec.structs import replace

from havre.cli.compose.command import Verb
from havre.cli.compose.converge import Wishes, converge
from havre.cli.compose.create_flags import pull_policy, removes_orphans
from havre.cli.compose.one_off import make_one_off
from havre.cli.compose.same_verb import run_for_container
from havre.cli.compose.session import Session, with_dependencies
from havre.cli.flags import Given, UsageError, many, switch, text
from havre.cli.screen import STDIN, STDOUT
from havre.client.errors import ApiError
from havre.compose.body.around import OneOff
from havre.compose.document.dotenv import parse_dotenv
from havre.compose.document.files import read_text
from havre.compose.errors import ComposeError
from havre.compose.model.mounts import short_mount
from havre.compose.model.ports import short_port
from havre.compose.model.project import Project
from havre.compose.model.service import Service
from havre.compose.plan.images import ImageWishes


def act(given: Given, session: Session) -> int:
    """The exit code of the command; what the service depends on is started before."""
    if given.switch("quiet"):
        session.silence()
    name = given.args[0]
    project = session.project([name])
    if given.switch("service-ports") and given.many("publish"):
        raise UsageError("--service-ports and --publish are incompatible")
    images = ImageWishes(
        pull=pull_policy(given.text("pull")),
        build=given.switch("build"),
        quiet=given.switch("quiet-pull"),
        quiet_build=given.switch("quiet-build"),
    )
    service = _changed(project.services[name], given, project)
    dependencies = [one for one in with_dependencies(project, [name]) if one != name]
    if dependencies and not given.switch("no-deps"):
        converge(
            session,
            project,
            Wishes(
                services=tuple(dependencies), named=frozenset(dependencies), images=images,
                remove_orphans=removes_orphans(given),
            ),
        )  # fmt: skip
    if session.dry:
        return 0
    oneoff = OneOff(secrets.token_hex(6), given.switch("rm"), given.switch("use-aliases"))
    made = make_one_off(session, project, service, (oneoff, given.text("name")), images)
    session.progress.close()
    if given.switch("detach"):
        session.client.act("POST", f"/containers/{made.id}/start")
        session.screen.line(made.name)
        return 0
    words = ["-a", *(["-i"] if given.switch("interactive") else []), made.id]
    code = run_for_container(session, "start", words)
    if given.switch("rm"):
        with contextlib.suppress(ApiError):  # it is gone already
            session.client.another().act("POST", f"/containers/{made.id}/wait", {"condition": "removed"})
    return code


def _changed(service: Service, given: Given, project: Project) -> Service:
    """The service as the flags want it for this once."""
    tty = _wants_terminal(given)
    command = tuple(given.args[1:])
    entrypoint = service.entrypoint
    if given.changed("entrypoint"):
        entrypoint = tuple(shlex.split(given.text("entrypoint")))
        command = command or service.command or () if entrypoint == service.entrypoint else command
    try:
        ports = [port for entry in given.many("publish") for port in short_port(entry)]
        mounts = [short_mount(_absolute(entry)) for entry in given.many("volume")]
    except ValueError as error:
        raise ComposeError(str(error)) from None
    added = {mount.target for mount in mounts}
    return replace(
        service,
        command=command or (() if given.changed("entrypoint") else service.command),
        entrypoint=entrypoint,
        container_name="",
        tty=tty,
        stdin_open=given.switch("interactive") and not given.switch("detach"),
        ports=service.ports if given.switch("service-ports") else tuple(ports),
        volumes=(*(one for one in service.volumes if one.target not in added), *mounts),
        environment={**service.environment, **_environment(given, project)},
        labels={**service.labels, **dict(entry.partition("=")[::2] for entry in given.many("label"))},
        user=given.text("user") or service.user,
        working_dir=given.text("workdir") or service.working_dir,
        cap_add=(*service.cap_add, *given.many("cap-add")),
        cap_drop=(*service.cap_drop, *given.many("cap-drop")),
        restart="no",
        deploy=replace(service.deploy, restart_policy=None) if service.deploy else None,
        scale=None,
    )


def _wants_terminal(given: Given) -> bool:
    if given.switch("detach"):
        return False
    if given.changed("no-tty"):
        return not given.switch("no-tty")
    return given.switch("tty") and os.isatty(STDIN) and os.isatty(STDOUT)


def _environment(given: Given, project: Project) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for path in given.many("env-from-file"):
        found.update(parse_dotenv(read_text(path), path, project.environment))
    for entry in given.many("env"):
        name, sign, value = entry.partition("=")
        found[name] = value if sign else project.environment.get(name)
    return found


def _absolute(entry: str) -> str:
    source, colon, rest = entry.partition(":")
    return f"{os.path.abspath(os.path.expanduser(source))}{colon}{rest}" if source[:1] in (".", "~") else entry


VERB = Verb(
    summary="Run a one-off command on a service",
    usage="[OPTIONS] SERVICE [COMMAND] [ARGS...]",
    flags=(
        switch("build", "Build image before starting container"),
        many("cap-add", "Add Linux capabilities"),
        many("cap-drop", "Drop Linux capabilities"),
        switch("detach", "Run container in background and print container ID", short="d"),
        text("entrypoint", "Override the entrypoint of the image"),
        many("env", "Set environment variables", short="e", kind="stringArray"),
        many("env-from-file", "Set environment variables from file", kind="stringArray"),
        switch("interactive", "Keep STDIN open even if not attached", short="i", default=True),
        many("label", "Add or override a label", short="l", kind="stringArray"),
        text("name", "Assign a name to the container"),
        switch("no-deps", "Don't start linked services"),
        switch("no-tty", "Disable pseudo-TTY allocation (default: auto-detected)", short="T"),
        many("publish", "Publish a container's port(s) to the host", short="p", kind="stringArray"),
        text("pull", 'Pull image before running ("always"|"missing"|"never")', default="policy"),
        switch("quiet", "Don't print anything to STDOUT", short="q"),
        switch("quiet-build", "Suppress progress output from the build process"),
        switch("quiet-pull", "Pull without printing progress information"),
        switch("remove-orphans", "Remove containers for services not defined in the Compose file"),
        switch("rm", "Automatically remove the container when it exits"),
        switch("service-ports", "Run command with all service's ports enabled and mapped to the host", short="P"),
        switch("tty", "Allocate a pseudo-TTY", short="t", default=True),
        switch("use-aliases", "Use the service's network useAliases in the network(s) the container connects to"),
        text("user", "Run as specified username or uid", short="u"),
        many("volume", "Bind mount a volume", short="v", kind="stringArray"),
        text("workdir", "Working directory inside the container", short="w"),
    ),
    at_least=1,
    interspersed=False,
    act=act,
)
