"""Sees to it that every service's image is there: pulled or built as its policy says."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Protocol

from havre.client.client import Client, json_lines
from havre.client.errors import ApiError, ClientError
from havre.compose.carry_out.clients import Clients
from havre.compose.carry_out.progress import Progress
from havre.compose.errors import Failed
from havre.compose.model.project import Project
from havre.compose.model.service import Service
from havre.compose.model.values import Duration
from havre.compose.plan.images import ImageWishes, Local, building_order, decide
from havre.wire.images import ImageInspect


class Supplier(Protocol):
    """What the command line knows and the engine does not: how a context is sent, and who asks a registry."""

    def build(self, client: Client, service: Service, image: str, *, quiet: bool) -> None:
        """Build and tag *image*, telling what the engine says unless *quiet*. Raises ComposeError or ClientError."""

    def credentials(self, image: str) -> Mapping[str, str]:
        """The header that tells the engine who asks the registry of *image*."""


class Images:
    """The images of one application in one engine."""

    def __init__(self, project: Project, clients: Clients, progress: Progress, supplier: Supplier) -> None:
        self._project, self._clients, self._progress, self._supplier = project, clients, progress, supplier

    def ensure(self, services: Iterable[Service], wishes: ImageWishes) -> dict[str, str]:
        """The id of each service's image by service. Raises ComposeError when one cannot be had."""
        wanted = list(services)
        there = self._look([self._project.image_of(service) for service in wanted])
        builds: list[Service] = []
        pulls: dict[str, Service] = {}
        for service in wanted:
            image = self._project.image_of(service)
            wanted_act = decide(service, there.get(image), wishes)
            if wanted_act == "missing":
                about = self._project.about(service.name)
                raise Failed(f"{about}: no such image: {image} (it may not be pulled or built)")
            if wanted_act == "build":
                builds.append(service)
            elif wanted_act == "pull":
                pulls.setdefault(image, service)
        self.pull(list(pulls.values()), quiet=wishes.quiet)
        self.build(builds, quiet=wishes.quiet_build)
        if builds or pulls:
            there = self._look([self._project.image_of(service) for service in wanted])
        return {
            service.name: local.id
            for service in wanted
            if (local := there.get(self._project.image_of(service))) is not None
        }

    def build(self, services: Iterable[Service], *, quiet: bool = False) -> None:
        """Build, one after the other, those first whose images others build on."""
        for service in building_order(list(services), self._project):
            image = self._project.image_of(service)
            self._progress.begin(f"Image {image}", "Building")
            with self._clients.lent() as client:
                self._supplier.build(client, service, image, quiet=quiet)
            self._progress.done(f"Image {image}", "Built")

    def pull(self, services: list[Service], *, quiet: bool = False, ignore_failures: bool = False) -> None:
        """Pull side by side. Raises Failed with the first failure; a service that can be built is left to it."""

        def one(service: Service) -> None:
            image = self._project.image_of(service)
            with self._clients.lent() as client:
                name, tag = split_image(image)
                query = {"fromImage": name, "tag": tag, "platform": service.platform}
                response = client.send("POST", "/images/create", query, headers=self._supplier.credentials(image))
                for line in json_lines(response):
                    self._told(f"Image {image}", line, quiet)

        self._each(services, one, ("Pulling", "Pulled"), ignore_failures=ignore_failures)

    def push(self, services: list[Service], *, quiet: bool = False, ignore_failures: bool = False) -> None:
        """Push side by side. Raises Failed with the first failure."""

        def one(service: Service) -> None:
            image = self._project.image_of(service)
            name, tag = split_image(image)
            with self._clients.lent() as client:
                response = client.send(
                    "POST", f"/images/{name}/push", {"tag": tag}, headers=self._supplier.credentials(image)
                )
                for line in json_lines(response):
                    self._told(f"Image {image}", line, quiet)

        self._each(services, one, ("Pushing", "Pushed"), ignore_failures=ignore_failures)

    def _told(self, subject: str, line: dict[str, object], quiet: bool) -> None:  # noqa: FBT001  three positions
        if not quiet:
            self._progress.output(subject, line)

    def _each(
        self, services: list[Service], act: Callable[[Service], None], words: tuple[str, str], *, ignore_failures: bool
    ) -> None:
        failures: list[str] = []

        def work(service: Service) -> None:
            subject = f"Image {self._project.image_of(service)}"
            self._progress.begin(subject, words[0])
            try:
                act(service)
            except ClientError as error:
                self._progress.failed(subject, str(error))
                failures.append(f"{self._project.about(service.name)}: {error}")
            else:
                self._progress.done(subject, words[1])

        threads = [threading.Thread(target=work, args=(service,), daemon=True) for service in services]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures and not ignore_failures:
            raise Failed(failures[0])

    def _look(self, names: Iterable[str]) -> dict[str, Local]:
        found: dict[str, Local] = {}
        for name in dict.fromkeys(names):
            if (image := look(self._clients.main, name)) is not None:
                found[name] = image
        return found


def look(client: Client, name: str) -> Local | None:
    """The image *name*, or None when it is not there."""
    try:
        found = client.get(f"/images/{name}/json", ImageInspect)
    except ApiError as error:
        if error.status == 404:
            return None
        raise
    tagged = (found.get("Metadata") or {}).get("LastTagTime") or ""
    return Local(str(found.get("Id")), _age(tagged))


def split_image(image: str) -> tuple[str, str]:
    """Name and tag (or digest) as the API wants them; the tag is `latest` where none is given."""
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    head, colon, tail = image.rpartition(":")
    if colon and "/" not in tail:
        return head, tail
    return image, "latest"


def _age(moment: str) -> Duration:
    found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)", moment)
    if found is None or moment.startswith("0001"):
        return Duration(0)
    then = datetime.fromisoformat(found.group(1)).replace(tzinfo=UTC)
    return Duration(int((datetime.now(UTC) - then).total_seconds() * 10**9))
