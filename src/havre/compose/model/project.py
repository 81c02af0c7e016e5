"""An application as a whole."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from havre.compose.model.resources import FileObject, Network, Volume
from havre.compose.model.service import Service


class Project(Struct, frozen=True):
    """A named set of services and what they share.

    *services* are those that the active profiles turn on; *disabled* the others. *environment* is what variables
    meant, *files* the compose files that were read, *places* the file and line of each service,
    *separator* what stands between the parts of a name.
    """

    name: str
    working_dir: str
    files: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    services: Mapping[str, Service] = field(default_factory=dict)
    disabled: Mapping[str, Service] = field(default_factory=dict)
    networks: Mapping[str, Network] = field(default_factory=dict)
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    secrets: Mapping[str, FileObject] = field(default_factory=dict)
    configs: Mapping[str, FileObject] = field(default_factory=dict)
    models: Mapping[str, object] = field(default_factory=dict)
    extensions: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    separator: str = "-"

    def about(self, service: str) -> str:
        """How an error about *service* begins: where it stands, and its name."""
        place = self.places.get(service, "")
        return f"{place}: service {service!r}" if place else f"service {service!r}"

    def image_of(self, service: Service) -> str:
        """The image of a service: its own, or the name that its build gets."""
        return service.image or f"{self.name}{self.separator}{service.name}"

    def container_name(self, service: Service, number: int) -> str:
        """Its own name, or `project-service-1`."""
        return service.container_name or self.separator.join((self.name, service.name, str(number)))
