"""What has to happen to a service's image before containers are made of it; pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from havre.compose.errors import Failed
from havre.compose.model.project import Project
from havre.compose.model.service import Service
from havre.compose.model.values import Duration

_EVERY = {"daily": "24h", "weekly": "168h"}


class ImageWishes(Struct, frozen=True):
    """What is asked for besides the services' own policies.

    *pull* is `policy`, `always`, `missing`, `never` or `build`; *build* builds whatever can be built, *no_build*
    nothing.
    """

    pull: str = "policy"
    build: bool = False
    no_build: bool = False
    quiet: bool = False
    quiet_build: bool = False


class Local(Struct, frozen=True):
    """An image that the engine has, and how long ago it was tagged here."""

    id: str
    age: Duration = field(default_factory=Duration)


def decide(service: Service, there: Local | None, wishes: ImageWishes) -> str:
    """`build`, `pull`, `keep` or `missing`: what has to happen before containers of *service* are made."""
    policy = wishes.pull if wishes.pull not in ("", "policy") else service.pull_policy
    builds = service.build is not None and not wishes.no_build
    if service.provider:
        return "keep"
    if builds and (wishes.build or policy == "build"):
        return "build"
    if policy == "always" and service.build is None:
        return "pull"
    if policy == "never":
        return "keep" if there else "missing"
    if there is None:
        return "build" if builds else "pull" if service.build is None or service.image else "missing"
    every = _EVERY.get(policy, policy.removeprefix("every_") if policy.startswith("every_") else "")
    return "pull" if every and service.build is None and there.age > Duration.parse(every) else "keep"


def building_order(services: list[Service], project: Project) -> list[Service]:
    """Services whose images others take as contexts come first."""
    by_name = {service.name: service for service in services if service.build}
    made: dict[str, Service] = {}

    def visit(service: Service, trail: tuple[str, ...]) -> None:
        if service.name in trail:
            raise Failed(f"builds need each other: {' -> '.join((*trail, service.name))}")
        contexts: Mapping[str, str] = service.build.additional_contexts if service.build else {}
        for source in contexts.values():
            other = source.removeprefix("service:")
            if source.startswith("service:") and other in project.services:
                visit(by_name.get(other, project.services[other]), (*trail, service.name))
        made.setdefault(service.name, service)

    for service in by_name.values():
        visit(service, ())
    return list(made.values())
