"""`havre compose down`: stop and remove everything that `up` made."""

from __future__ import annotations

from havre.cli.compose.command import Verb
from havre.cli.compose.converge import carry_out, doer_for, timeout_of
from havre.cli.compose.create_flags import removes_orphans
from havre.cli.compose.session import Session
from havre.cli.flags import Given, UsageError, number, switch, text
from havre.compose.model.project import Project
from havre.compose.plan.down import DownOptions, plan_down
from havre.compose.present import observe


def act(given: Given, session: Session) -> int:
    """What is not there any more is no error."""
    if given.text("rmi") not in ("", "all", "local"):
        raise UsageError(f'invalid value for --rmi: "{given.text("rmi")}"')
    name, project = session.project_or_name(given.args)
    present = observe(session.client, name)
    options = DownOptions(
        services=frozenset(given.args),
        known=frozenset({*project.services, *project.disabled}) if project else frozenset(),
        remove_orphans=removes_orphans(given),
        volumes=given.switch("volumes"),
        images=_images(given, project),
        external=_external(project),
    )
    steps = plan_down(name, present, options)
    if not steps:
        session.progress.note("No resource found to remove")
        return 0
    carry_out(session, doer_for(session, name, project, present, timeout_of(given)), steps)
    return 0


def _images(given: Given, project: Project | None) -> tuple[str, ...]:
    """`local` are images without a name of their own."""
    which = given.text("rmi")
    if not which or project is None:
        return ()
    services = [one for one in project.services.values() if not given.args or one.name in given.args]
    return tuple(
        dict.fromkeys(project.image_of(one) for one in services if which == "all" or (one.build and not one.image))
    )


def _external(project: Project | None) -> frozenset[str]:
    if project is None:
        return frozenset()
    networks = {one.name for one in project.networks.values() if one.external}
    return frozenset(networks | {one.name for one in project.volumes.values() if one.external})


VERB = Verb(
    summary="Stop and remove containers, networks",
    usage="[OPTIONS] [SERVICES]",
    flags=(
        switch("remove-orphans", "Remove containers for services not defined in the Compose file"),
        text(
            "rmi",
            'Remove images used by services. "local" remove only images that don\'t have\na custom tag ("local"|"all")',
        ),
        number("timeout", "Specify a shutdown timeout in seconds", short="t"),
        switch(
            "volumes",
            'Remove named volumes declared in the "volumes" section of the Compose file\n'
            "and anonymous volumes attached to containers",
            short="v",
        ),
    ),
    act=act,
)
