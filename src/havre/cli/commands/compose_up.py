"""`havre compose up`: create and start the application; stay attached unless told not to."""

from __future__ import annotations

from msgspec.structs import replace

from havre.cli.compose.attached import Attached, Ending
from havre.cli.compose.command import Verb
from havre.cli.compose.converge import Wishes, converge, timeout_of
from havre.cli.compose.create_flags import CREATE_FLAGS, create_wishes, refuse_together
from havre.cli.compose.printer import Style
from havre.cli.compose.ready import await_ready
from havre.cli.compose.session import Session
from havre.cli.flags import Given, UsageError, many, number, switch, text
from havre.compose.errors import ComposeError
from havre.compose.model.project import Project
from havre.compose.plan.up import ALWAYS

_CONFLICTS = (
    ("always-recreate-deps", "no-recreate"),
    ("abort-on-container-exit", "abort-on-container-failure"),
    *(
        (one, other)
        for one in ("detach", "wait")
        for other in (
            "attach", "attach-dependencies", "abort-on-container-exit", "abort-on-container-failure",
            "exit-code-from", "watch",
        )
    ),
)  # fmt: skip


def act(given: Given, session: Session) -> int:
    """The exit code of the application where one is asked for; 130 after ctrl-C."""
    refuse_together(given, _CONFLICTS)
    project = session.project(given.args)
    wishes = _wishes(given, project)
    if given.switch("detach") or given.switch("wait") or given.switch("no-start") or session.dry:
        doer = converge(session, project, wishes)
        if given.switch("wait"):
            await_ready(session, doer, wishes.services, given.number("wait-timeout"))
        return 0
    ending = _ending(given, project)
    colours = session.colours() and not given.switch("no-color")
    style = Style(not given.switch("no-log-prefix"), colours, given.switch("timestamps"))
    attached = Attached(session, project, _shown(given, project, wishes), ending, style)
    if given.switch("watch"):
        from havre.cli.compose.watching import Watching

        return attached.run(wishes, Watching(session, project, given.args or project.services).run)
    return attached.run(wishes)


def _wishes(given: Given, project: Project) -> Wishes:
    wishes = create_wishes(given, project)
    if given.switch("no-deps"):
        if not given.args:
            raise UsageError("--no-deps needs the names of services")
        wishes = replace(wishes, services=tuple(given.args))
    if given.switch("always-recreate-deps"):
        wishes = replace(wishes, recreate_dependencies=ALWAYS)
    return replace(
        wishes,
        images=replace(wishes.images, quiet_build=given.switch("quiet-build")),
        start=not given.switch("no-start"),
        timeout_s=timeout_of(given),
        renew_volumes=given.switch("renew-anon-volumes"),
    )


def _ending(given: Given, project: Project) -> Ending:
    code_from = given.text("exit-code-from")
    for name in (*filter(None, (code_from,)), *given.many("attach"), *given.many("no-attach")):
        if name not in project.services:
            raise ComposeError(f"no such service: {name}")
    on_failure = given.switch("abort-on-container-failure")
    return Ending(
        on_exit=given.switch("abort-on-container-exit") or (bool(code_from) and not on_failure),
        on_failure=on_failure,
        code_from=code_from,
        timeout_s=timeout_of(given),
    )


def _shown(given: Given, project: Project, wishes: Wishes) -> frozenset[str]:
    """The services whose output is shown."""
    if given.many("attach"):
        shown = set(given.many("attach"))
        return frozenset(shown | set(wishes.services) if given.switch("attach-dependencies") else shown)
    named = set(given.args) if given.args and not given.switch("attach-dependencies") else set(wishes.services)
    quiet = {name for name in named if project.services[name].attach is False}
    return frozenset(named - quiet - set(given.many("no-attach")))


VERB = Verb(
    summary="Create and start containers",
    usage="[OPTIONS] [SERVICE...]",
    flags=(
        *CREATE_FLAGS,
        switch("abort-on-container-exit", "Stops all containers if any container was stopped. Incompatible with -d"),
        switch(
            "abort-on-container-failure",
            "Stops all containers if any container exited with failure. Incompatible with -d",
        ),
        switch("always-recreate-deps", "Recreate dependent containers. Incompatible with --no-recreate."),
        many("attach", "Restrict attaching to the specified services. Incompatible with --attach-dependencies."),
        switch("attach-dependencies", "Automatically attach to log output of dependent services"),
        switch("detach", "Detached mode: Run containers in the background", short="d"),
        text("exit-code-from", "Return the exit code of the selected service container"),
        switch("menu", "Enable interactive shortcuts when running attached (there are none)"),
        many("no-attach", "Do not attach (stream logs) to the specified services"),
        switch("no-color", "Produce monochrome output"),
        switch("no-deps", "Don't start linked services"),
        switch("no-log-prefix", "Don't print prefix in logs"),
        switch("no-start", "Don't start the services after creating them"),
        switch("quiet-build", "Suppress the build output"),
        switch("renew-anon-volumes", "Recreate anonymous volumes instead of retrieving their data", short="V"),
        number("timeout", "Use this timeout in seconds for container shutdown", short="t"),
        switch("timestamps", "Show timestamps"),
        switch("wait", "Wait for services to be running|healthy. Implies detached mode."),
        number("wait-timeout", "Maximum duration in seconds to wait for the project to be running|healthy"),
        switch("watch", "Watch source code and rebuild/refresh containers when files are updated.", short="w"),
    ),
    act=act,
)  # fmt: skip
