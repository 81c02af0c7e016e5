"""`havre compose config`: the application as it is understood, in one file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from havre.cli.compose.command import Verb
from havre.cli.compose.session import Session, with_dependencies
from havre.cli.compose.yaml_out import as_yaml
from havre.cli.flags import Given, UsageError, switch, text
from havre.cli.tables import table
from havre.compose.document.files import Scope, find_files, read_file
from havre.compose.document.interpolate import variables_of
from havre.compose.document.templates import shown as shown_template
from havre.compose.errors import ComposeError
from havre.compose.hashes import service_hash
from havre.compose.load import Loaded
from havre.compose.model.project import Project
from havre.compose.model.readers import plain
from havre.compose.model.show import shown_project, shown_service
from havre.wire.images import ImageInspect


def act(given: Given, session: Session) -> int:
    """Print it, or the one thing that is asked for."""
    if given.switch("variables"):
        return _variables(session)
    loaded = session.loaded(
        services=tuple(given.args),
        interpolated=not given.switch("no-interpolate"),
        absolute=not given.switch("no-path-resolution"),
        consistent=not given.switch("no-consistency"),
        completed=not given.switch("no-normalize"),
        environment_resolved=not given.switch("no-env-resolution"),
    )
    project = loaded.project
    for name in given.args:
        if name not in project.services:
            raise ComposeError(f"no such service: {name}")
    if given.switch("quiet"):
        return 0
    for flag, lines in _LISTS.items():
        if given.switch(flag):
            for line in lines(project):
                session.screen.line(line)
            return 0
    if given.changed("hash"):
        return _hashes(given.text("hash"), project, session)
    return _whole(given, session, loaded)


def _whole(given: Given, session: Session, loaded: Loaded) -> int:
    project = loaded.project
    if given.switch("no-interpolate"):
        document = plain(loaded.tree)
        document = {"name": project.name, **document} if isinstance(document, dict) else document
    else:
        everything = session.top.switch("all-resources") and not given.args
        document = shown_project(project if everything else _chosen(project, given.args))
        if given.switch("resolve-image-digests") or given.switch("lock-image-digests"):
            _pin(document, project, session, only=given.switch("lock-image-digests"))
    form = given.text("format") or "yaml"
    if form not in ("yaml", "json"):
        raise UsageError(f"unsupported format {form!r}")
    made = json.dumps(document, indent=2) + "\n" if form == "json" else as_yaml(document)
    if path := given.text("output"):
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(made)
        except OSError as error:
            raise ComposeError(f"open {path}: {error.strerror}") from error
    else:
        session.screen.write(made.encode(errors="surrogateescape"))
    return 0


def _chosen(project: Project, names: list[str]) -> Project:
    """The application with only *names* and what they need; unused shared things are left out."""
    services = with_dependencies(project, names)
    networks = {key for service in services.values() for key in service.networks}
    volumes = {mount.source for service in services.values() for mount in service.volumes}
    secrets = {grant.source for service in services.values() for grant in service.secrets}
    secrets |= {grant.source for one in services.values() if one.build for grant in one.build.secrets}
    configs = {grant.source for service in services.values() for grant in service.configs}
    return replace(
        project,
        services=services,
        networks={key: one for key, one in project.networks.items() if key in networks},
        volumes={key: one for key, one in project.volumes.items() if key in volumes},
        secrets={key: one for key, one in project.secrets.items() if key in secrets},
        configs={key: one for key, one in project.configs.items() if key in configs},
    )


def _pin(document: dict[str, object], project: Project, session: Session, *, only: bool) -> None:
    """Images by digest, as the engine knows them."""
    services = {name: dict(shown_service(service)) for name, service in project.services.items()}
    for name, service in project.services.items():
        if not service.image or "@" in service.image:
            continue
        digests = session.client.get(f"/images/{service.image}/json", ImageInspect).get("RepoDigests") or []
        if not digests:
            raise ComposeError(f"service {name!r}: the image {service.image} has no digest of a registry here")
        services[name]["image"] = f"{service.image}@{digests[0].partition('@')[2]}"
    document["services"] = services
    if only:
        kept = {name: {"image": one["image"]} for name, one in services.items() if "image" in one}
        document.clear()
        document["services"] = kept


def _hashes(wanted: str, project: Project, session: Session) -> int:
    names = sorted(project.services) if wanted == "*" else wanted.split(",")
    for name in names:
        if name not in project.services:
            raise ComposeError(f"no such service: {name}")
        session.screen.line(f"{name} {service_hash(project.services[name])}")
    return 0


def _variables(session: Session) -> int:
    """Every variable that the files name, with what it is without a value."""
    files = session.top.many("file") or find_files(session.top.text("project-directory") or ".")
    rows: dict[str, list[str]] = {}
    for path in files:
        for one in variables_of(read_file(path, Scope({}, set(), interpolated=False))):
            required = "true" if one.operator.endswith("?") else "false"
            default = shown_template(one.operand) if one.operator.endswith("-") else ""
            alternate = shown_template(one.operand) if one.operator.endswith("+") else ""
            rows.setdefault(one.name, [one.name, required, default, alternate])
    lines = [["NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE"], *(rows[name] for name in sorted(rows))]
    for line in table(lines, least=20):
        session.screen.line(line)
    return 0


_LISTS: Mapping[str, Callable[[Project], list[str]]] = {
    "services": lambda project: list(project.services),
    "volumes": lambda project: list(project.volumes),
    "networks": lambda project: list(project.networks),
    "models": lambda project: list(project.models),
    "images": lambda project: [project.image_of(one) for one in project.services.values()],
    "profiles": lambda project: sorted(
        {name for one in (*project.services.values(), *project.disabled.values()) for name in one.profiles}
    ),
    "environment": lambda project: [f"{key}={value}" for key, value in sorted(project.environment.items())],
}

VERB = Verb(
    summary="Parse, resolve and render compose file in canonical format",
    usage="[OPTIONS] [SERVICE...]",
    flags=(
        switch("environment", "Print environment used for interpolation."),
        text("format", "Format the output. Values: [yaml | json]"),
        text("hash", "Print the service config hash, one per line."),
        switch("images", "Print the image names, one per line."),
        switch("lock-image-digests", "Produces an override file with image digests"),
        switch("models", "Print the model names, one per line."),
        switch("networks", "Print the network names, one per line."),
        switch("no-consistency", "Don't check model consistency - warning: may produce invalid Compose output"),
        switch("no-env-resolution", "Don't resolve service env files"),
        switch("no-interpolate", "Don't interpolate environment variables"),
        switch("no-normalize", "Don't normalize compose model"),
        switch("no-path-resolution", "Don't resolve file paths"),
        text("output", "Save to file (default to stdout)", short="o"),
        switch("profiles", "Print the profile names, one per line."),
        switch("quiet", "Only validate the configuration, don't print anything", short="q"),
        switch("resolve-image-digests", "Pin image tags to digests"),
        switch("services", "Print the service names, one per line."),
        switch("variables", "Print model variables and default values."),
        switch("volumes", "Print the volume names, one per line."),
    ),
    act=act,
)
