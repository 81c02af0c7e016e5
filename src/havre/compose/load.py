"""From a command line's wishes and an environment to an application."""

from __future__ import annotations

import os
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from havre.compose.check import check_no_circle, check_sections, place_of
from havre.compose.complete import completed
from havre.compose.document.files import STDIN, Scope, find_files
from havre.compose.document.nodes import Scalar, Table
from havre.compose.document.tree import Wish, read_tree, read_variables
from havre.compose.errors import ComposeError, InvalidFile
from havre.compose.model.names import is_project_name, normalised
from havre.compose.model.project import Project
from havre.compose.model.service import Service
from havre.compose.model.whole import Sections, read_sections

_OBSOLETE = "{}: the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion"
_UNSET = 'The "{}" variable is not set. Defaulting to a blank string.'


class Wishes(Struct, frozen=True):
    """What the command line and the environment say about the application.

    *services* are named on the command line and turn their profiles on. *interpolated*, *absolute* and *consistent* are
    for showing a file as it is.
    """

    files: tuple[str, ...] = ()
    project_name: str = ""
    project_directory: str = ""
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    interpolated: bool = True
    absolute: bool = True
    consistent: bool = True
    completed: bool = True
    environment_resolved: bool = True
    separator: str = "-"


class Loaded(Struct, frozen=True):
    """An application, the tree that it was read from, and the variables that were there."""

    project: Project
    tree: Table


class _Surroundings(Struct, frozen=True):
    """What is known before a file is read."""

    files: tuple[str, ...]
    folder: str
    env_files: tuple[str, ...]
    values: Mapping[str, str]


def load(wishes: Wishes, environ: Mapping[str, str]) -> Loaded:
    """Read, check and complete. Raises ComposeError with the place of the first fault."""
    around = _surroundings(wishes, environ)
    scope = Scope(around.values, set(), wishes.interpolated)
    tree = read_tree(around.files, Wish(around.folder, scope, wishes.absolute))
    sections = read_sections(tree)
    if not sections.services and not isinstance(tree.get("services"), Table):
        raise InvalidFile(f"{around.files[0]}: no services are declared")
    if wishes.consistent:
        check_sections(sections, tree)
    warnings = [_UNSET.format(missing) for missing in sorted(scope.missing)]
    if sections.version is not None:
        warnings.insert(0, _OBSOLETE.format(tree.place_of("version").file))
    project = replace(_project(sections, tree, around, wishes), warnings=tuple(warnings))
    if wishes.completed:
        project = completed(project, environment_resolved=wishes.environment_resolved)
    if wishes.consistent:
        check_enabled(project)
        check_no_circle(project.services, tree)
    return Loaded(project, tree)


def _surroundings(wishes: Wishes, environ: Mapping[str, str]) -> _Surroundings:
    """The files, their folder and the variables; a `.env` where we are may name the files."""
    here = wishes.project_directory or os.getcwd()
    early = {**read_variables(_env_files(wishes, environ, here), environ), **environ}
    files = tuple(wishes.files) or _files_of(early) or tuple(find_files(here))
    folder = _folder(wishes, files)
    env_files = _env_files(wishes, environ, folder)
    values = {**read_variables(env_files, environ), **environ}
    if wishes.project_name:
        values["COMPOSE_PROJECT_NAME"] = wishes.project_name
    return _Surroundings(files, folder, env_files, values)


def _project(sections: Sections, tree: Table, around: _Surroundings, wishes: Wishes) -> Project:
    name = _project_name(around.values.get("COMPOSE_PROJECT_NAME", ""), tree, sections, around.folder, wishes)
    profiles = set(wishes.profiles) or set(filter(None, around.values.get("COMPOSE_PROFILES", "").split(",")))
    enabled, disabled = _by_profile(sections, profiles, wishes.services)
    return Project(
        name=name,
        working_dir=around.folder,
        files=tuple(file if file == STDIN else os.path.abspath(file) for file in around.files),
        env_files=around.env_files,
        services=enabled,
        disabled=disabled,
        networks=sections.networks,
        volumes=sections.volumes,
        secrets=sections.secrets,
        configs=sections.configs,
        models=sections.models,
        extensions=sections.extensions,
        environment={**around.values, "COMPOSE_PROJECT_NAME": name},
        separator=wishes.separator,
        places={service: str(place_of(tree, ("services", service))) for service in sections.services},
    )


def named_project(name: str, environ: Mapping[str, str], folder: str) -> str:
    """The project's name where no file is read: given, of the environment, or the folder's. Raises ComposeError."""
    found = name or environ.get("COMPOSE_PROJECT_NAME", "") or normalised(os.path.basename(os.path.abspath(folder)))
    if not is_project_name(found):
        raise _bad_name(found)
    return found


def check_enabled(project: Project) -> None:
    """Raises InvalidFile when a service needs one whose profile is off."""
    for service in project.services.values():
        for name, dependency in service.depends_on.items():
            if name in project.disabled and dependency.required:
                profiles = ", ".join(project.disabled[name].profiles)
                raise InvalidFile(
                    f"service {service.name!r} depends on {name!r}, whose profiles are not active: "
                    f"activate one of {profiles} or set required: false"
                )


def _files_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    separator = environ.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    return tuple(filter(None, environ.get("COMPOSE_FILE", "").split(separator)))


def _folder(wishes: Wishes, files: tuple[str, ...]) -> str:
    if wishes.project_directory:
        return os.path.abspath(wishes.project_directory)
    return os.getcwd() if files[0] == STDIN else os.path.dirname(os.path.abspath(files[0]))


def _env_files(wishes: Wishes, environ: Mapping[str, str], folder: str) -> tuple[str, ...]:
    given = wishes.env_files or tuple(filter(None, environ.get("COMPOSE_ENV_FILES", "").split(",")))
    if given:
        return tuple(map(os.path.abspath, given))
    if environ.get("COMPOSE_DISABLE_ENV_FILE", "").lower() in ("1", "true"):
        return ()
    path = os.path.join(folder, ".env")
    return (path,) if os.path.isfile(path) else ()


def _project_name(given: str, tree: Table, sections: Sections, folder: str, wishes: Wishes) -> str:
    node = tree.get("name")
    if not given and isinstance(node, Scalar) and sections.name:
        if not is_project_name(sections.name) and wishes.interpolated:
            raise InvalidFile(f"{node.place}: {_bad_name(sections.name)}")
        return sections.name
    name = given or normalised(os.path.basename(folder))
    if not is_project_name(name):
        raise _bad_name(name)
    return name


def _bad_name(name: str) -> ComposeError:
    if not name:
        return ComposeError("project name must not be empty: give one with -p or the attribute name")
    return ComposeError(
        f"invalid project name {name[:100]!r}: must consist only of lowercase alphanumeric characters, hyphens, and "
        "underscores as well as start with a letter or number"
    )


def _by_profile(
    sections: Sections, profiles: set[str], named: tuple[str, ...]
) -> tuple[dict[str, Service], dict[str, Service]]:
    """Services that are on, and those that are off; naming one turns its profiles on."""
    for name in named:
        if name in sections.services:
            profiles = profiles | set(sections.services[name].profiles)
    enabled = {
        name: service
        for name, service in sections.services.items()
        if not service.profiles or "*" in profiles or profiles & set(service.profiles)
    }
    disabled = {name: service for name, service in sections.services.items() if name not in enabled}
    kept = {
        name: replace(
            service,
            depends_on={
                other: dependency
                for other, dependency in service.depends_on.items()
                if other in enabled or dependency.required
            },
        )
        for name, service in enabled.items()
    }
    return kept, disabled
