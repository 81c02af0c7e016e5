"""Makes the container of `run`, with the networks and volumes that it needs."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from havre.cli.compose.converge import Wishes, converge, refuse_unsupported
from havre.cli.compose.session import Session
from havre.compose.body.around import OneOff
from havre.compose.body.container import create_body
from havre.compose.model.project import Project
from havre.compose.model.service import Service
from havre.compose.plan.images import ImageWishes


class Made(Struct, frozen=True):
    """The container, not started."""

    id: str
    name: str


def make_one_off(
    session: Session, project: Project, service: Service, who: tuple[OneOff, str], images: ImageWishes
) -> Made:
    """A container of *service* that `up` does not know; *who* is its slug and the name that was asked for."""
    refuse_unsupported([service])
    oneoff, name = who
    name = name or project.separator.join((project.name, service.name, "run", oneoff.slug))
    changed = replace(project, services={**project.services, service.name: service})
    # No container of the service itself is wanted: networks, volumes and its image are.
    doer = converge(
        session,
        changed,
        Wishes(
            services=(service.name,), named=frozenset({"-"}), recreate="never", recreate_dependencies="never",
            scale={service.name: 0}, start=False, images=images, keep_surplus=True,
        ),
    )  # fmt: skip
    around = replace(
        doer.around,
        project=changed,
        image_id=doer.settings.images.get(service.name, ""),
        containers=doer.first_ids(),
        oneoff=oneoff,
    )
    subject = f"Container {name}"
    session.progress.begin(subject, "Creating")
    identifier = doer.make(session.client, name, create_body(service, 0, around), service)
    session.progress.done(subject, "Created")
    return Made(identifier, name)
