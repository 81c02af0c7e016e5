"""What is known when a container is made."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from havre.compose.body.versions import ApiVersion
from havre.compose.model.project import Project


class OneOff(Struct, frozen=True):
    """A container beside the service's own, for `run`; *removed* when it ends, *aliased* on its networks."""

    slug: str
    removed: bool = False
    aliased: bool = False


class Surroundings(Struct, frozen=True):
    """The application, the engine, and what was there before.

    *containers* are ids by service, for shared namespaces and links; *inherited* volume names by the place where the
    container that is replaced had them; *image_id* the image that it is made of; *socket* the engine's own.
    """

    project: Project
    api: ApiVersion
    image_id: str = ""
    containers: Mapping[str, str] = field(default_factory=dict)
    inherited: Mapping[str, str] = field(default_factory=dict)
    replaces: str = ""
    socket: str = ""
    oneoff: OneOff | None = None
