"""What `up`, `create`, `run`, `scale` and `watch` share: images, then the plan, then its carrying out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from havre.cli.compose.building import ContextBuilder
from havre.cli.compose.session import Session
from havre.cli.flags import Given
from havre.compose.carry_out.doer import Doer, Settings
from havre.compose.carry_out.images import Images
from havre.compose.carry_out.run import run_steps
from havre.compose.errors import ComposeError
from havre.compose.model.project import Project
from havre.compose.model.service import Service
from havre.compose.plan.images import ImageWishes
from havre.compose.plan.steps import Step
from havre.compose.plan.up import DIVERGED, UpOptions, plan_up
from havre.compose.present import Present, observe

Watcher = Callable[[str, str], None]


class Wishes(Struct, frozen=True):
    """What a verb wants: which services (with what they need), and how their containers are made.

    *keep_surplus* leaves containers beyond the scale alone; *before_start* is told the id and name of each container
    that is about to start.
    """

    services: tuple[str, ...] = ()
    named: frozenset[str] = frozenset()
    recreate: str = DIVERGED
    recreate_dependencies: str = DIVERGED
    scale: Mapping[str, int] = field(default_factory=dict)
    start: bool = True
    remove_orphans: bool = False
    timeout_s: int | None = None
    renew_volumes: bool = False
    keep_surplus: bool = False
    images: ImageWishes = field(default_factory=ImageWishes)
    before_start: Watcher | None = None


def converge(session: Session, project: Project, wishes: Wishes) -> Doer:
    """Make what is there what *wishes* want of *project*; the doer knows its containers. Raises ComposeError."""
    services = [project.services[name] for name in wishes.services or project.services]
    refuse_unsupported(services)
    images = Images(project, session.clients, session.progress, ContextBuilder(session, project))
    image_ids = {} if session.dry else images.ensure(services, wishes.images)
    present = observe(session.client, project.name)
    tell_orphans(session, project, present, removed=wishes.remove_orphans)
    steps = plan_up(
        project,
        present,
        UpOptions(
            images=image_ids,
            services=tuple(service.name for service in services),
            named=wishes.named,
            recreate=wishes.recreate,
            recreate_dependencies=wishes.recreate_dependencies,
            scale=wishes.scale,
            start=wishes.start,
            remove_orphans=wishes.remove_orphans,
            keep_surplus=wishes.keep_surplus,
        ),
    )
    doer = Doer(project, present, session.clients, session.progress)
    doer.settings = Settings(image_ids, wishes.timeout_s, wishes.renew_volumes, wishes.before_start)
    carry_out(session, doer, steps)
    return doer


def carry_out(session: Session, doer: Doer, steps: tuple[Step, ...]) -> None:
    """Perform *steps*, or with --dry-run only tell them. Raises ComposeError."""
    if session.dry:
        for step in steps:
            session.progress.done(step.key, "Planned")
        return
    run_steps(steps, doer.perform, doer.cancel, parallel=session.parallel)


def doer_for(session: Session, name: str, project: Project | None, present: Present, timeout_s: int | None) -> Doer:
    """A doer for steps on containers that are there; without files an application of that name and nothing in it."""
    doer = Doer(project or Project(name, ""), present, session.clients, session.progress)
    doer.settings = replace(doer.settings, timeout_s=timeout_s)
    return doer


def tell_orphans(session: Session, project: Project, present: Present, *, removed: bool) -> None:
    """Warn of containers whose service is no more."""
    orphans = present.orphans({*project.services, *project.disabled})
    if orphans and not removed and os.environ.get("COMPOSE_IGNORE_ORPHANS", "").lower() not in ("1", "true"):
        names = " ".join(one.name for one in orphans)
        session.progress.note(
            f"Found orphan containers ([{names}]) for this project. If you removed or renamed this service in your "
            "compose file, you can run this command with the --remove-orphans flag to clean it up."
        )


def refuse_unsupported(services: list[Service]) -> None:
    """Raises ComposeError for attributes that mean nothing here."""
    for service in services:
        for attribute, given, reason in (
            ("provider", service.provider, "services of external programs are not supported"),
            ("models", service.models, "language models are not supported"),
            ("credential_spec", service.credential_spec, "credentials of Windows containers are not supported"),
            ("pre_start", service.pre_start, "not supported: depends_on with service_completed_successfully does it"),
        ):  # fmt: skip
            if given:
                raise ComposeError(f"service {service.name!r}: {attribute}: {reason}")


def scale_of(entries: list[str], project: Project) -> dict[str, int]:
    """`SERVICE=NUM` for each service. Raises ComposeError."""
    found = {}
    for entry in entries:
        name, sign, number = entry.partition("=")
        if not sign or not number.isascii() or not number.isdecimal() or len(number) > 6:
            raise ComposeError(f"invalid --scale option {entry!r}: SERVICE=NUM expected")
        if name not in project.services:
            raise ComposeError(f"no such service: {name}")
        if project.services[name].container_name and int(number) > 1:
            raise ComposeError(
                f"service {name!r} has the container_name {project.services[name].container_name!r}: "
                f"one name cannot serve {number} containers"
            )
        found[name] = int(number)
    return found


def timeout_of(given: Given) -> int | None:
    """The seconds of `--timeout`; None when it was not given."""
    return given.number("timeout") if given.changed("timeout") else None
