"""What a service or network was made of, as one short text: it changes when containers must be made again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from havre.compose.model.project import Project
from havre.compose.model.resources import Network, Volume
from havre.compose.model.service import Service
from havre.compose.model.show import shown


def service_hash(service: Service, project: Project) -> str:
    """The hash of all that a container of *service* depends on.

    How many there are, how the image is built or pulled, and what it waits for, do not make a container another one.
    """
    deploy = replace(service.deploy, replicas=None) if service.deploy else None
    bare = replace(
        service, build=None, scale=None, deploy=deploy, depends_on={}, pull_policy="", profiles=(), develop=None,
        attach=None, pull_refresh_after="", post_start=(), pre_stop=(), extensions={},
    )  # fmt: skip
    contents = {
        f"{kind}/{grant.source}": source.content or project.environment.get(source.environment, "")
        for kind, grants, known in (
            ("secrets", service.secrets, project.secrets), ("configs", service.configs, project.configs),
        )
        for grant in grants
        if (source := known.get(grant.source)) is not None and not source.file
    }  # fmt: skip
    return _digest({"service": shown(bare), "contents": contents, "image": project.image_of(service)})


def resource_hash(resource: Network | Volume) -> str:
    """The hash of all that the engine was told of a network or volume."""
    return _digest(shown(replace(resource, labels={}, extensions={})))


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
