"""`havre compose pull`: fetch the images of services."""

from __future__ import annotations

from havre.cli.compose.building import ContextBuilder
from havre.cli.compose.command import Verb
from havre.cli.compose.session import Session, with_dependencies
from havre.cli.flags import Given, UsageError, switch, text
from havre.compose.carry_out.images import Images, look
from havre.compose.model.service import Service


def act(given: Given, session: Session) -> int:
    """One pull an image; services that are only built are passed over."""
    policy = given.text("policy")
    if policy not in ("", "missing", "always"):
        raise UsageError(f'invalid --policy "{policy}": missing or always expected')
    project = session.project(given.args)
    chosen = with_dependencies(project, given.args) if given.switch("include-deps") or not given.args else {
        name: project.services[name] for name in given.args
    }  # fmt: skip
    pulls: dict[str, Service] = {}
    for service in chosen.values():
        image = project.image_of(service)
        if not service.image or (given.switch("ignore-buildable") and service.build):
            session.progress.done(f"Image {image}", "Skipped - No image to be pulled")
        elif policy == "missing" and look(session.client, image):
            session.progress.done(f"Image {image}", "Skipped - Image is already present locally")
        elif service.pull_policy in ("never", "build"):
            session.progress.done(f"Image {image}", f"Skipped - pull policy is {service.pull_policy}")
        else:
            pulls.setdefault(image, service)
    images = Images(project, session.clients, session.progress, ContextBuilder(session, project))
    if not session.dry:
        ignored = given.switch("ignore-pull-failures")
        images.pull(list(pulls.values()), quiet=given.switch("quiet"), ignore_failures=ignored)
    return 0


VERB = Verb(
    summary="Pull service images",
    usage="[OPTIONS] [SERVICE...]",
    flags=(
        switch("ignore-buildable", "Ignore images that can be built"),
        switch("ignore-pull-failures", "Pull what it can and ignores images with pull failures"),
        switch("include-deps", "Also pull services declared as dependencies"),
        switch("no-parallel", "DEPRECATED disable parallel pulling"),
        switch("parallel", "DEPRECATED pull multiple images in parallel"),
        text("policy", 'Apply pull policy ("missing"|"always")'),
        switch("quiet", "Pull without printing progress information", short="q"),
    ),
    act=act,
)
