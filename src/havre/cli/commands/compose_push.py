"""`havre compose push`: send the images of services to their registries."""

from __future__ import annotations

from havre.cli.compose.building import ContextBuilder
from havre.cli.compose.command import Verb
from havre.cli.compose.session import Session, with_dependencies
from havre.cli.flags import Given, switch
from havre.compose.carry_out.images import Images


def act(given: Given, session: Session) -> int:
    """Services that are built under a name of their own."""
    project = session.project(given.args)
    chosen = with_dependencies(project, given.args) if given.switch("include-deps") or not given.args else {
        name: project.services[name] for name in given.args
    }  # fmt: skip
    pushes = {service.image: service for service in chosen.values() if service.build and service.image}
    images = Images(project, session.clients, session.progress, ContextBuilder(session, project))
    if not session.dry:
        ignored = given.switch("ignore-push-failures")
        images.push(list(pushes.values()), quiet=given.switch("quiet"), ignore_failures=ignored)
    return 0


VERB = Verb(
    summary="Push service images",
    usage="[OPTIONS] [SERVICE...]",
    flags=(
        switch("ignore-push-failures", "Push what it can and ignores images with push failures"),
        switch("include-deps", "Also push images of services declared as dependencies"),
        switch("quiet", "Push without printing progress information", short="q"),
    ),
    act=act,
)
