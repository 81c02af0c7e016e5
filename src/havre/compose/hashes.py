"""What a service, network or volume was made of, as one short text: it changes when it must be made again.

The hashes are Docker Compose's own (2.40): each of the two programs leaves alone what the other one has made.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping

from msgspec.structs import replace

from havre.compose.go_json import attributes, go_json
from havre.compose.model.project import Project
from havre.compose.model.resources import Network, Volume
from havre.compose.model.service import Service

_NONE: Mapping[str, str] = {}


def service_hash(service: Service, containers: Mapping[str, str] = _NONE) -> str:
    """The hash of all that a container of *service* depends on.

    How many there are, how the image is built or pulled, and what it waits for, do not make a container another one.
    With *containers*, ids by service, those whose namespaces or volumes it shares are meant and not their services.
    """
    return _digest(_bare(service, containers))


def is_made_of(service: Service, containers: Mapping[str, str], found: str) -> bool:
    """Whether *found* is the hash of *service*, as Compose 2 makes it or as its later releases do."""
    bare = _bare(service, containers)
    return found in (_digest(bare), _digest(_later(bare)))


def contents_mark(service: Service, project: Project, salt: str = "") -> str:
    """`SALT$DIGEST` of the secrets and configs that are copied into its containers: "" when there are none.

    Labels travel far and a secret may be short: what stands in one must not be cheap to guess.
    """
    contents = {
        f"{kind}/{grant.source}": source.content or project.environment.get(source.environment, "")
        for kind, grants, known in (
            ("secrets", service.secrets, project.secrets), ("configs", service.configs, project.configs),
        )
        for grant in grants
        if (source := known.get(grant.source)) is not None and not source.file
    }  # fmt: skip
    if not contents:
        return ""
    salt = salt or os.urandom(8).hex()
    text = json.dumps(contents, sort_keys=True).encode()
    return f"{salt}${hashlib.scrypt(text, salt=salt.encode(), n=1 << 12, r=8, p=1, dklen=16).hex()}"


def has_contents(service: Service, project: Project, mark: str) -> bool:
    """Whether *mark* was made of the same secrets and configs."""
    return mark == contents_mark(service, project, mark.partition("$")[0])


def resource_hash(resource: Network | Volume) -> str:
    """The hash of all that the engine was told of a network or volume."""
    if isinstance(resource, Volume):
        resource = replace(resource, driver=resource.driver or "local")
    return _digest(attributes(resource))


def _bare(service: Service, containers: Mapping[str, str]) -> dict[str, object]:
    deploy = replace(service.deploy, replicas=None) if service.deploy else None
    return attributes(
        replace(
            service,
            deploy=deploy,
            network_mode=_shared(service.network_mode, containers),
            ipc=_shared(service.ipc, containers),
            pid=_shared(service.pid, containers),
            volumes_from=tuple(_lender(entry, containers) for entry in service.volumes_from),
        )
    )


def _shared(mode: str, containers: Mapping[str, str]) -> str:
    name = mode.removeprefix("service:")
    return f"container:{containers[name]}" if name != mode and name in containers else mode


def _lender(entry: str, containers: Mapping[str, str]) -> str:
    """Whose volumes are used: once containers are there Compose forgets how."""
    words = entry.split(":")
    if not containers:
        return entry
    return words[1] if words[0] == "container" and len(words) > 1 else containers.get(words[0], entry)


def _later(bare: dict[str, object]) -> dict[str, object]:
    """As Compose 5 writes it: `create_host_path` stands where it is off, not where it is on."""
    volumes = bare.get("volumes")
    return {**bare, "volumes": [_later_mount(one) for one in volumes]} if isinstance(volumes, list) else bare


def _later_mount(mount: dict[str, object]) -> dict[str, object]:
    bind = mount.get("bind")
    if not isinstance(bind, dict):
        return mount
    words = ("selinux", "propagation", *(() if bind.get("create_host_path") else ("create_host_path",)), "recursive")
    return {**mount, "bind": {word: bind.get(word, False) for word in words if word in bind or "_" in word}}


def _digest(value: object) -> str:
    return hashlib.sha256(go_json(value).encode()).hexdigest()
