"""Fills in what a compose file leaves out: names, the default network, variables, implied dependencies."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping

from msgspec.structs import replace

from havre.compose.check import sharing
from havre.compose.document.dotenv import parse_dotenv, parse_raw
from havre.compose.document.files import read_text
from havre.compose.errors import NoFile
from havre.compose.model.build import Build
from havre.compose.model.grants import place
from havre.compose.model.parts import Dependency
from havre.compose.model.project import Project
from havre.compose.model.resources import Network
from havre.compose.model.service import Service


def completed(project: Project, *, environment_resolved: bool = True) -> Project:
    """*project* with everything spelled out. Raises ComposeError for a file of variables that cannot be read."""
    services = {
        name: _service(service, project, resolved=environment_resolved) for name, service in project.services.items()
    }
    networks = {
        key: replace(one, name=one.name or (key if one.external else f"{project.name}_{key}"))
        for key, one in project.networks.items()
    }
    if any("default" in service.networks for service in services.values()):
        default = networks.get("default", Network())
        networks["default"] = replace(default, name=default.name or f"{project.name}_default")
    else:
        networks.pop("default", None)
    return replace(
        project,
        services=services,
        networks=networks,
        volumes={
            key: replace(one, name=one.name or (key if one.external else f"{project.name}_{key}"))
            for key, one in project.volumes.items()
        },
        secrets={key: replace(one, name=one.name or f"{project.name}_{key}") for key, one in project.secrets.items()},
        configs={key: replace(one, name=one.name or f"{project.name}_{key}") for key, one in project.configs.items()},
    )


def _service(service: Service, project: Project, *, resolved: bool) -> Service:
    if not service.networks and not service.network_mode and not service.provider:
        service = replace(service, networks={"default": None})
    service = replace(
        service,
        depends_on=_dependencies(service),
        build=_build(service.build, project) if service.build else None,
        secrets=tuple(replace(one, target=one.target or place("secret", one)) for one in service.secrets),
    )
    if not resolved:
        return service
    return replace(
        service,
        environment=environment(service, project.environment),
        env_file=(),
        labels={**_label_files(service, project.environment), **service.labels},
    )


def environment(service: Service, values: Mapping[str, str]) -> Mapping[str, str | None]:
    """The variables of a service's containers: its files, then its own; a name alone takes its value from *values*.

    A name that has no value anywhere stays with None: it takes a variable of the image away.
    """
    found: dict[str, str | None] = {}
    for file in service.env_file:
        try:
            text = read_text(file.path)
        except NoFile:
            if file.required:
                raise NoFile(f"env file {file.path} not found (service {service.name!r})") from None
            continue
        outer = ChainMap(dict(values), {key: value for key, value in found.items() if value is not None})
        given = parse_raw(text, file.path) if file.format == "raw" else parse_dotenv(text, file.path, outer)
        found.update({key: value if value is not None else values.get(key) for key, value in given.items()})
    own = {key: value if value is not None else values.get(key) for key, value in service.environment.items()}
    return {key: value for key, value in found.items() if value is not None} | own


def _label_files(service: Service, values: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in service.label_file:
        given = parse_dotenv(read_text(path), path, values)
        found.update({key: value or "" for key, value in given.items()})
    return found


def _dependencies(service: Service) -> Mapping[str, Dependency]:
    """Those given, and those that links and shared namespaces imply (which restart it, since they hold a container)."""
    found = dict(service.depends_on)
    for _, name in sharing(service):
        found.setdefault(name, Dependency(restart=True))
    for link in service.links:
        found.setdefault(link.partition(":")[0], Dependency(restart=True))
    return found


def _build(build: Build, project: Project) -> Build:
    args = {name: value if value is not None else project.environment.get(name) for name, value in build.args.items()}
    return replace(
        build,
        args={name: value for name, value in args.items() if value is not None},
        context=build.context or project.working_dir,
        dockerfile=build.dockerfile if build.dockerfile_inline else build.dockerfile or "Dockerfile",
        secrets=tuple(replace(grant, target=grant.target or grant.source) for grant in build.secrets),
    )
