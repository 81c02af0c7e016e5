"""Performs single steps of a plan against the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from havre.client.client import Client
from havre.client.errors import ApiError, ClientError
from havre.compose.body.around import Surroundings
from havre.compose.body.container import create_body
from havre.compose.body.endpoints import Endpoints
from havre.compose.carry_out.clients import Clients
from havre.compose.carry_out.health import wait_ready
from havre.compose.carry_out.hooks import run_hook
from havre.compose.carry_out.inject import inject
from havre.compose.carry_out.progress import Progress
from havre.compose.carry_out.run import Cancel
from havre.compose.carry_out.shared import SharedDoer
from havre.compose.errors import ComposeError, Failed
from havre.compose.model.parts import HEALTHY
from havre.compose.model.project import Project
from havre.compose.model.service import Service
from havre.compose.plan import steps as act
from havre.compose.plan.steps import Step
from havre.compose.present import Container, Present
from havre.wire.containers import CreateContainer, CreateResponse


class Settings(Struct, frozen=True):
    """How steps are performed: seconds that a stop may take (None: the container's own), anonymous volumes renewed.

    *before_start* is told the id and name of each container that is about to start.
    """

    images: Mapping[str, str] = field(default_factory=dict)
    timeout_s: int | None = None
    renew_volumes: bool = False
    before_start: Callable[[str, str], None] | None = None


class Doer:
    """Knows the containers of the application while a plan is carried out."""

    def __init__(self, project: Project, present: Present, clients: Clients, progress: Progress) -> None:
        self._project, self._clients, self._progress = project, clients, progress
        self.around = Surroundings(project, clients.version(), socket=clients.socket)
        self._ids = {(one.service, one.number): one.id for one in reversed(present.containers) if not one.oneoff}
        self._shared = SharedDoer(project, progress, lambda: list(self._ids.values()))
        self.settings = Settings()
        self.cancel = Cancel()

    def perform(self, step: Step) -> None:
        """Do one step. Raises ComposeError, ClientError or Cancelled."""
        try:
            with self._clients.lent() as client:
                if isinstance(step.act, act.SharedAct):
                    self._shared.perform(client, step.act)
                else:
                    self._act(client, step.act)
        except ClientError as error:
            self._progress.failed(_subject(step, self._project), str(error))
            raise Failed(f"{_about(step, self._project)}: {error}") from error
        except ComposeError as error:
            raise type(error)(f"{_about(step, self._project)}: {error}") from error

    def ids(self, service: str) -> list[tuple[str, str]]:
        """The containers of *service*, made or found: ids with names."""
        numbers = sorted(number for name, number in self._ids.copy() if name == service)
        return [(self._ids[service, number], self._name(self._service(service), number)) for number in numbers]

    def _act(self, client: Client, wanted: act.ContainerAct) -> None:
        match wanted:
            case act.Create(service, number, old):
                self._create(client, self._service(service), number, old)
            case act.Rename(container, name):
                client.act("POST", f"/containers/{container.id}/rename", {"name": name})
            case act.Start(service, number):
                self._start(client, self._service(service), number)
            case act.Stop(container):
                self._stop(client, container)
            case act.Remove(container, volumes, force):
                self._remove(client, container, volumes=volumes, force=force)
            case act.Wait(service, condition, required):
                self._wait(client, service, condition, required=required)

    def _service(self, name: str) -> Service:
        return self._project.services[name]

    def _name(self, service: Service, number: int) -> str:
        return self._project.container_name(service, number)

    def _create(self, client: Client, service: Service, number: int, old: Container | None) -> None:
        name = self._name(service, number)
        subject = f"Container {name}"
        self._progress.begin(subject, "Recreate" if old else "Creating")
        around = replace(
            self.around,
            image_id=self.settings.images.get(service.name, ""),
            containers=self.first_ids(),
            inherited=dict(old.volumes) if old and not self.settings.renew_volumes else {},
            replaces=name if old else "",
        )
        body, networks = create_body(service, number, around)
        made = self.make(client, f"{old.id[:12]}_{name}" if old else name, (body, networks), service)
        if old is not None:
            self._replace(client, old, made, name)
        self._ids[service.name, number] = made
        self._progress.done(subject, "Recreated" if old else "Created")

    def make(self, client: Client, name: str, wanted: tuple[CreateContainer, Endpoints], service: Service) -> str:
        """Create a container, join its networks and give it its secrets: its id. What fails leaves nothing behind."""
        body, networks = wanted
        query = {"name": name, "platform": service.platform}
        answer = client.post("/containers/create", CreateResponse, query, body)
        identifier = str(answer.get("Id"))
        for warning in answer.get("Warnings") or ():
            self._progress.note(f"{name}: {warning}")
        try:
            for network, settings in networks.afterwards.items():
                wish = {"Container": identifier, "EndpointConfig": settings}
                client.act("POST", f"/networks/{network}/connect", None, wish)
            inject(client, identifier, service, self._project)
        except BaseException:
            with self._clients.lent() as other:
                other.act("DELETE", f"/containers/{identifier}", {"force": True, "v": True})
            raise
        return identifier

    def _replace(self, client: Client, old: Container, made: str, name: str) -> None:
        self._end(client, old)
        try:
            client.act("DELETE", f"/containers/{old.id}", {"force": True})
        except ApiError as error:
            if error.status not in (404, 409):  # gone, or on its way
                raise
        client.act("POST", f"/containers/{made}/rename", {"name": name})

    def _start(self, client: Client, service: Service, number: int) -> None:
        subject = f"Container {self._name(service, number)}"
        identifier = self._ids[service.name, number]
        self._progress.begin(subject, "Starting")
        if self.settings.before_start:
            self.settings.before_start(identifier, self._name(service, number))
        client.act("POST", f"/containers/{identifier}/start")
        for hook in service.post_start:
            run_hook(client, identifier, hook, service.name)
        self._progress.done(subject, "Started")

    def _stop(self, client: Client, container: Container) -> None:
        subject = f"Container {container.name}"
        self._progress.begin(subject, "Stopping")
        self._end(client, container)
        self._progress.done(subject, "Stopped")

    def _end(self, client: Client, container: Container) -> None:
        """Run the hooks of its end and stop it; what does not run, or is gone, is no error."""
        service = self._project.services.get(container.service)
        if service is not None and container.state == "running":
            for hook in service.pre_stop:
                run_hook(client, container.id, hook, service.name)
        if container.is_running:
            try:
                client.act("POST", f"/containers/{container.id}/stop", {"t": self.settings.timeout_s})
            except ApiError as error:
                if error.status != 404:
                    raise

    def _remove(self, client: Client, container: Container, *, volumes: bool, force: bool) -> None:
        subject = f"Container {container.name}"
        self._progress.begin(subject, "Removing")
        try:
            client.act("DELETE", f"/containers/{container.id}", {"force": force, "v": volumes})
        except ApiError as error:
            if error.status not in (404, 409) or (error.status == 409 and "in progress" not in str(error)):
                raise
        if self._ids.get((container.service, container.number)) == container.id:
            del self._ids[container.service, container.number]
        self._progress.done(subject, "Removed")

    def _wait(self, client: Client, service: str, condition: str, *, required: bool) -> None:
        containers = self.ids(service)
        for _, name in containers:
            self._progress.begin(f"Container {name}", "Waiting")
        try:
            said = wait_ready(client, containers, condition, self.cancel)
        except Exception as error:
            for _, name in containers:
                self._progress.failed(f"Container {name}", str(error) or "Interrupted")
            if required or self.cancel.given_up:
                raise
            self._progress.note(f"optional dependency {service!r} is not ready: {error}")
            return
        for _, name in containers:
            self._progress.done(f"Container {name}", said or ("Healthy" if condition == HEALTHY else "Started"))

    def first_ids(self) -> dict[str, str]:
        """The container of lowest number of each service, for namespaces, links and volumes."""
        found: dict[str, str] = {}
        for service, number in sorted(self._ids.copy()):
            found.setdefault(service, self._ids[service, number])
        return found


def _subject(step: Step, project: Project) -> str:
    """As the progress names it."""
    match step.act:
        case act.Create(service, number) | act.Start(service, number):
            return f"Container {project.container_name(project.services[service], number)}"
        case act.Stop(container) | act.Remove(container) | act.Rename(container):
            return f"Container {container.name}"
        case act.CreateNetwork(key):
            return f"Network {project.networks[key].name}"
        case act.CreateVolume(key):
            return f"Volume {project.volumes[key].name}"
        case act.RemoveNetwork(network):
            return f"Network {network.name}"
        case act.RemoveVolume(name):
            return f"Volume {name}"
        case act.RemoveImage(name):
            return f"Image {name}"
        case act.Wait(service):
            return f"Service {service}"


def _about(step: Step, project: Project) -> str:
    """How an error of *step* begins: with the place of the service where there is one."""
    match step.act:
        case act.Create(service) | act.Start(service) | act.Wait(service):
            return project.about(service)
        case act.Stop(container) | act.Remove(container) | act.Rename(container):
            return f"container {container.name}"
        case _:
            return step.key
