"""`havre compose watch`: take over changes of files as the file's `develop.watch` says."""

from __future__ import annotations

from havre.cli.compose.command import Verb
from havre.cli.compose.converge import Wishes, converge
from havre.cli.compose.session import Session, with_dependencies
from havre.cli.compose.watching import Watching
from havre.cli.flags import Given, switch
from havre.compose.plan.images import ImageWishes


def act(given: Given, session: Session) -> int:
    """Until ctrl-C; the services are built and started first unless told not to."""
    project = session.project(given.args)
    watching = Watching(
        session, project, given.args or project.services, quiet=given.switch("quiet"), prune=given.switch("prune")
    )
    if not given.switch("no-up"):
        services = tuple(with_dependencies(project, given.args))
        converge(session, project, Wishes(services, frozenset(given.args), images=ImageWishes(build=True)))
    session.progress.close()
    if session.dry:
        return 0
    try:
        watching.run()
    except KeyboardInterrupt:
        return 130
    return 0


VERB = Verb(
    summary="Watch build context for service and rebuild/refresh containers when files are updated",
    usage="[SERVICE...]",
    flags=(
        switch("no-up", "Do not build & start services before watching"),
        switch("prune", "Prune dangling images on rebuild", default=True),
        switch("quiet", "hide build output"),
    ),
    act=act,
)
