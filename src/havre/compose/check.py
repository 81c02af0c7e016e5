"""What a whole application must obey: references resolve, no circles, no attributes that contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from havre.compose.document.nodes import Items, Path, Place, Table, fault
from havre.compose.errors import InvalidFile
from havre.compose.model.readers import hint
from havre.compose.model.service import Service
from havre.compose.model.whole import Sections


def check_sections(sections: Sections, tree: Table) -> None:
    """Raises InvalidFile for the first fault, with its place in *tree*."""
    for service in sections.services.values():
        _check_shared(service, sections, tree)
        _check_alone(service, tree)
        _check_references(service, sections, tree)
    _check_container_names(sections, tree)


def check_no_circle(services: Mapping[str, Service], tree: Table) -> None:
    """Raises InvalidFile when services wait for each other."""
    state: dict[str, bool] = {}
    for start in services:
        trail: list[tuple[str, list[str]]] = [(start, list(services[start].depends_on))] if start not in state else []
        state.setdefault(start, False)
        while trail:
            name, left = trail[-1]
            if not left:
                state[name] = True
                trail.pop()
                continue
            following = left.pop()
            if following not in services or state.get(following):
                continue
            if following in state:
                names = [one for one, _ in trail]
                circle = " -> ".join((*names[names.index(following) :], following))
                raise _at(tree, ("services", name, "depends_on"), f"dependency cycle detected: {circle}")
            state[following] = False
            trail.append((following, list(services[following].depends_on)))


def _check_shared(service: Service, sections: Sections, tree: Table) -> None:
    """Networks, volumes, secrets and configs that it names must be declared."""
    at = ("services", service.name)
    for name in service.networks:
        if name != "default" and name not in sections.networks:
            raise _undefined(tree, (*at, "networks", name), "network", name, sections.networks)
    for mount in service.volumes:
        if mount.type in ("volume", "cluster") and mount.source and mount.source not in sections.volumes:
            raise _undefined(tree, (*at, "volumes"), "volume", mount.source, sections.volumes)
    for kind, grants, known in (
        ("secret", service.secrets, sections.secrets),
        ("config", service.configs, sections.configs),
        ("secret", service.build.secrets if service.build else (), sections.secrets),
    ):
        for grant in grants:
            if grant.source not in known:
                raise _undefined(tree, (*at, f"{kind}s"), kind, grant.source, known)


def _check_alone(service: Service, tree: Table) -> None:
    """Attributes of one service that contradict each other."""
    at = ("services", service.name)
    if not service.image and service.build is None and not service.provider:
        raise _at(tree, at, "neither an image nor a build context is given")
    if service.build is not None:
        if service.build.dockerfile and service.build.dockerfile_inline:
            raise _at(tree, (*at, "build"), "dockerfile and dockerfile_inline contradict each other")
        if service.platform and service.build.platforms and service.platform not in service.build.platforms:
            raise _at(tree, (*at, "build", "platforms"), f"does not hold the service's platform {service.platform!r}")
    if service.network_mode and service.networks:
        raise _at(tree, (*at, "network_mode"), "network_mode and networks contradict each other")
    if service.container_name and service.replicas > 1:
        raise _at(tree, (*at, "container_name"), f"one name cannot serve {service.replicas} containers")
    replicas = service.deploy.replicas if service.deploy else None
    if service.scale is not None and replicas is not None and service.scale != replicas:
        raise _at(
            tree, (*at, "scale"), f"scale ({service.scale}) and deploy.replicas ({replicas}) contradict each other"
        )
    if service.replicas < 0:
        raise _at(tree, at, f"the number of containers cannot be negative: {service.replicas}")
    if service.healthcheck and service.healthcheck.start_interval and not service.healthcheck.start_period:
        raise _at(tree, (*at, "healthcheck"), "start_interval needs start_period")
    _check_limits(service, tree)


def _check_limits(service: Service, tree: Table) -> None:
    """The two spellings of one limit must agree."""
    at = ("services", service.name)
    limits = service.deploy.resources.limits if service.deploy and service.deploy.resources else None
    if limits is None:
        return
    for name, old, new in (
        ("mem_limit", int(service.mem_limit), int(limits.memory)),
        ("cpus", service.cpus, limits.cpus),
        ("pids_limit", service.pids_limit, limits.pids),
    ):
        if old and new and old != new:
            raise _at(tree, (*at, name), f"{name} and deploy.resources.limits contradict each other: {old} and {new}")


def _check_references(service: Service, sections: Sections, tree: Table) -> None:
    at = ("services", service.name)
    known = sections.services
    for name, dependency in service.depends_on.items():
        if name == service.name:
            raise _at(tree, (*at, "depends_on", name), "a service cannot depend on itself")
        if name not in known and dependency.required:
            raise _undefined(tree, (*at, "depends_on", name), "service", name, known)
    for attribute, name in sharing(service):
        if name not in known:
            raise _undefined(tree, (*at, attribute), "service", name, known)
        if name == service.name:
            raise _at(tree, (*at, attribute), "a service cannot share its own")
    for link in service.links:
        if link.partition(":")[0] not in known:
            raise _undefined(tree, (*at, "links"), "service", link.partition(":")[0], known)


def sharing(service: Service) -> list[tuple[str, str]]:
    """The services whose namespaces or volumes *service* uses, with the attribute that says so."""
    found = [
        (attribute, value.removeprefix("service:"))
        for attribute, value in (
            ("network_mode", service.network_mode), ("ipc", service.ipc), ("pid", service.pid),
        )
        if value.startswith("service:")
    ]  # fmt: skip
    found += [
        ("volumes_from", entry.partition(":")[0])
        for entry in service.volumes_from
        if not entry.startswith("container:")
    ]
    return found


def _check_container_names(sections: Sections, tree: Table) -> None:
    taken: dict[str, str] = {}
    for service in sections.services.values():
        name = service.container_name
        if name and name in taken:
            raise _at(
                tree,
                ("services", service.name, "container_name"),
                f"{name!r} is the name of service {taken[name]!r} too",
            )
        taken[name] = service.name


def _undefined(tree: Table, path: Path, kind: str, name: str, known: Iterable[str]) -> InvalidFile:
    return _at(tree, path, f"refers to undefined {kind} {name!r}{hint(name, tuple(known))}")


def _at(tree: Table, path: Path, message: str) -> InvalidFile:
    return fault(place_of(tree, path), path, message)


def place_of(tree: Table, path: Path) -> Place:
    """Where *path* stands, or the nearest thing above it; for the name in a list, its entry."""
    node: object = tree
    place = tree.place
    for part in path:
        if isinstance(node, Table) and part in node.entries:
            place, node = node.place_of(part), node.entries[part]
        elif isinstance(node, Items):
            found = [item for item in node.items if getattr(item, "value", None) == part]
            return found[0].place if found else place
        else:
            return place
    return place
