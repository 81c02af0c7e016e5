"""Builds a service's image: its context goes to the engine as an archive."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from havre.cli.compose.session import Session
from havre.client.client import Client, json_lines
from havre.client.errors import ClientError
from havre.client.tar_out import pack
from havre.compose.errors import ComposeError
from havre.compose.model.build import Build
from havre.compose.model.names import PROJECT, SERVICE
from havre.compose.model.project import Project
from havre.compose.model.service import Service


class ContextBuilder:
    """Posts builds to the Engine API's /build."""

    def __init__(self, session: Session, project: Project, *, memory: int = 0) -> None:
        self._session, self._project, self._memory = session, project, memory

    def build(self, client: Client, service: Service, image: str) -> None:
        """Build *service* and tag it *image*, telling what the engine says."""
        build = service.build
        if build is None:
            raise ComposeError(f"service {service.name!r} has no build section")
        query = {**build_query(service, build, image, self._project), "memory": self._memory or None}
        response = client.send("POST", "/build", query, stream=_context(build))
        try:
            for line in json_lines(response):
                self._session.progress.output(f"Image {image}", line)
        except ClientError as error:
            raise ComposeError(f"failed to build service {service.name!r}: {error}") from error


def build_query(service: Service, build: Build, image: str, project: Project) -> dict[str, str | int | None]:
    """The parameters of POST /build. Raises ComposeError for what the engine's door cannot take."""
    for attribute, given in (("ssh", build.ssh), ("secrets", build.secrets), ("entitlements", build.entitlements)):
        if given:
            raise ComposeError(f"service {service.name!r}: build.{attribute} is not supported yet")
    platforms = build.platforms or ((service.platform,) if service.platform else ())
    labels = {**build.labels, PROJECT: project.name, SERVICE: service.name}
    return {
        "t": image,
        "dockerfile": build.dockerfile,
        "buildargs": json.dumps(dict(build.args)),
        "labels": json.dumps(labels),
        "cachefrom": json.dumps(list(build.cache_from)) if build.cache_from else "",
        "nocache": build.no_cache,
        "pull": build.pull,
        "target": build.target,
        "networkmode": build.network,
        "shmsize": int(build.shm_size) or None,
        "extrahosts": ",".join(f"{name}:{one}" for name, all_ in build.extra_hosts.items() for one in all_),
        "platform": platforms[0] if len(platforms) == 1 else "",
        "rm": True,
        "forcerm": True,
    }


def _context(build: Build) -> Iterator[bytes]:
    if not os.path.isdir(build.context):
        raise ComposeError(f"unable to prepare context: path {build.context!r} not found")
    return pack(build.context, ".")
