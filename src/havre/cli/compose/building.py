"""Builds a service's image as `havre build` does; on a Docker engine without what only Havre's /build takes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

from havre.cli.build_caches import cache_fields
from havre.cli.build_sources import Context, add_folder, open_context
from havre.cli.compose.session import Session
from havre.cli.credentials import auth_header
from havre.cli.flags import Given, parse
from havre.client.build_context import Dockerfile, pack_context
from havre.client.client import Client, json_lines
from havre.client.errors import ClientError
from havre.client.tar_out import gathered
from havre.compose.errors import ComposeError, Failed
from havre.compose.model.build import Build
from havre.compose.model.names import PROJECT, SERVICE
from havre.compose.model.project import Project
from havre.compose.model.service import Service
from havre.wire.system import Version


class ContextBuilder:
    """Posts builds to the Engine API's /build; *memory* limits each in bytes."""

    def __init__(self, session: Session, project: Project, *, memory: int = 0) -> None:
        self._session, self._project, self._memory = session, project, memory

    def build(self, client: Client, service: Service, image: str, *, quiet: bool) -> None:
        """Build *service* and tag it *image*, telling what the engine says. Raises Failed, naming the service."""
        build = service.build
        if build is None:
            raise ComposeError(f"service {service.name!r} has no build section")
        try:
            for line in self._build(client, service, build, image):
                if not quiet:
                    self._session.progress.output(f"Image {image}", line)
        except ClientError as error:
            raise Failed(f"{self._project.about(service.name)}: failed to build: {error}") from error

    def credentials(self, image: str) -> Mapping[str, str]:
        """As `havre login` keeps them."""
        return auth_header(image)

    def _build(self, client: Client, service: Service, build: Build, image: str) -> Iterator[dict[str, object]]:
        from havre.cli.build_flags import FLAGS, query_of
        from havre.cli.build_lending import lend

        given = parse(build_words(service, build, image, self._project), FLAGS)
        extras = {"ssh": build.ssh, "secrets": build.secrets, "additional_contexts": build.additional_contexts}
        asked = [name for name, value in extras.items() if value]
        if asked and not _is_havre(client):
            raise ClientError(f"build.{asked[0]}: the engine's /build does not take it (Havre's does)")
        context = _context(build)
        query = [*query_of(given), ("dockerfile", context.dockerfile)]
        if self._memory:
            query.append(("memory", str(self._memory)))
        if build.additional_contexts:
            query.append(("contexts", json.dumps(self._contexts(build, context))))
        query += self._caches(client, given, context)
        if session := lend(client, given, self._project.environment):
            query.append(("session", session))
        response = client.send("POST", f"/build?{urlencode(query)}", stream=context.pieces)
        yield from json_lines(response)

    def _caches(self, client: Client, given: Given, context: Context) -> list[tuple[str, str]]:
        """An engine that is not Havre takes images that it has."""
        if not (given.many("cache-from") or given.many("cache-to")):
            return []
        if not _is_havre(client):
            return [("cachefrom", json.dumps([name for name in given.many("cache-from") if "=" not in name]))]
        if any("type=local" in place for place in given.many("cache-to")):
            raise ClientError("build.cache_to: folders are written by `havre build` alone; use type=registry or inline")
        return cache_fields(given, context, self._session.screen)

    def _contexts(self, build: Build, context: Context) -> dict[str, str]:
        made = {}
        for number, (name, source) in enumerate(build.additional_contexts.items()):
            if source.startswith("service:"):
                other = self._project.services.get(source.removeprefix("service:"))
                if other is None:
                    raise ClientError(f"named context {name}: no such service: {source.removeprefix('service:')}")
                made[name.lower()] = f"docker-image://{self._project.image_of(other)}"
            elif source.startswith("docker-image://"):
                made[name.lower()] = source
            elif "://" in source or source.startswith("target:"):
                raise ClientError(f"named context {source}: only folders, services and docker-image:// are supported")
            else:
                made[name.lower()] = f"sent://{add_folder(context, source, number)}"
        return made


def build_words(service: Service, build: Build, image: str, project: Project) -> list[str]:
    """The flags of `havre build` that mean the same. Raises ClientError for several platforms."""
    platforms = build.platforms or ((service.platform,) if service.platform else ())
    if len(platforms) > 1:
        raise ClientError(f"build.platforms: one engine builds for one platform, not for {', '.join(platforms)}")
    labels = {**build.labels, PROJECT: project.name, SERVICE: service.name}
    words = [f"--tag={name}" for name in (image, *build.tags)]
    words += [f"--build-arg={name}={value}" for name, value in build.args.items() if value is not None]
    words += [f"--label={name}={value}" for name, value in labels.items()]
    words += [f"--add-host={name}:{one}" for name, all_ in build.extra_hosts.items() for one in all_]
    words += [f"--no-cache-filter={name}" for name in build.no_cache_filter]
    words += [f"--cache-from={place}" for place in build.cache_from]
    words += [f"--cache-to={place}" for place in build.cache_to]
    words += [f"--allow={name}" for name in build.entitlements]
    words += ["--allow=security.insecure"] if build.privileged else []
    words += [f"--ssh={name}={path}" if path else f"--ssh={name}" for name, path in build.ssh.items()]
    words += [f"--secret={_secret(grant.target, project, grant.source)}" for grant in build.secrets]
    words += [f"--ulimit={name}={limit.soft}:{limit.hard}" for name, limit in build.ulimits.items()]
    words += [f"--platform={name}" for name in platforms]
    words += ["--no-cache"] if build.no_cache else []
    words += ["--pull"] if build.pull else []
    words += [f"--target={build.target}"] if build.target else []
    words += [f"--network={build.network}"] if build.network else []
    words += [f"--shm-size={int(build.shm_size)}"] if build.shm_size else []
    return words


def _secret(identifier: str, project: Project, name: str) -> str:
    source = project.secrets[name]
    return f"id={identifier},env={source.environment}" if source.environment else f"id={identifier},src={source.file}"


def _context(build: Build) -> Context:
    if not build.dockerfile_inline:
        return open_context(build.context, build.dockerfile)
    text = build.dockerfile_inline.encode()
    # The name follows from the text: the ignore file that names it is the same each time, and so is the context.
    dockerfile = Dockerfile(f".dockerfile.{hashlib.sha256(text).hexdigest()[:20]}", text, added=True)
    if not os.path.isdir(build.context):
        raise ClientError(f'unable to prepare context: path "{build.context}" not found')
    made = Context((), dockerfile.name, text=dockerfile.text, shown="dockerfile_inline")
    made.members = pack_context(build.context, dockerfile)
    made.pieces = gathered(made.members)
    return made


def _is_havre(client: Client) -> bool:
    version = client.get("/version", Version)
    return ((version.get("Platform") or {}).get("Name") or "").startswith("Havre")
