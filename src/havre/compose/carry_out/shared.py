"""Performs steps on what services share: networks, volumes, images."""

from __future__ import annotations

from collections.abc import Callable, Collection

from havre.client.client import Client
from havre.client.errors import ApiError
from havre.compose.body.shared import network_body, volume_body
from havre.compose.carry_out.progress import Progress
from havre.compose.model.project import Project
from havre.compose.plan import steps as act
from havre.wire.networks import Network, NetworkCreated
from havre.wire.volumes import Volume


class SharedDoer:
    """*containers* tells the ids of the application's containers, which may be taken off its networks."""

    def __init__(self, project: Project, progress: Progress, containers: Callable[[], Collection[str]]) -> None:
        self._project, self._progress, self._containers = project, progress, containers

    def perform(self, client: Client, wanted: act.SharedAct) -> None:
        """Do one step. Raises ClientError."""
        match wanted:
            case act.CreateNetwork(key):
                self._create_network(client, key)
            case act.RemoveNetwork(network):
                self._remove_network(client, network.name, network.id)
            case act.CreateVolume(key):
                self._create_volume(client, key)
            case act.RemoveVolume(name):
                self._remove_named(client, f"Volume {name}", f"/volumes/{name}")
            case act.RemoveImage(name):
                self._remove_named(client, f"Image {name}", f"/images/{name}")

    def _create_network(self, client: Client, key: str) -> None:
        network = self._project.networks[key]
        subject = f"Network {network.name}"
        self._progress.begin(subject, "Creating")
        try:
            client.post("/networks/create", NetworkCreated, None, network_body(key, network, self._project.name))
        except ApiError as error:
            if error.status != 409:
                raise
        self._progress.done(subject, "Created")

    def _remove_network(self, client: Client, name: str, identifier: str) -> None:
        subject = f"Network {name}"
        self._progress.begin(subject, "Removing")
        try:
            client.act("DELETE", f"/networks/{identifier}")
        except ApiError as error:
            if error.status == 404:
                pass
            elif error.status == 403 and "active endpoints" in str(error):
                if not self._disconnect_stopped(client, identifier):
                    self._progress.done(subject, "Resource is still in use")
                    return
                client.act("DELETE", f"/networks/{identifier}")
            else:
                raise
        self._progress.done(subject, "Removed")

    def _disconnect_stopped(self, client: Client, identifier: str) -> bool:
        """Take containers of this application off a network; whether nobody else is on it."""
        mine = set(self._containers())
        on_it = client.get(f"/networks/{identifier}", Network).get("Containers") or {}
        if not set(on_it) <= mine:
            return False
        for container in on_it:
            client.act("POST", f"/networks/{identifier}/disconnect", None, {"Container": container, "Force": True})
        return True

    def _create_volume(self, client: Client, key: str) -> None:
        volume = self._project.volumes[key]
        subject = f"Volume {volume.name}"
        self._progress.begin(subject, "Creating")
        client.post("/volumes/create", Volume, None, volume_body(key, volume, self._project.name))
        self._progress.done(subject, "Created")

    def _remove_named(self, client: Client, subject: str, path: str) -> None:
        self._progress.begin(subject, "Removing")
        try:
            client.act("DELETE", path)
        except ApiError as error:
            if error.status == 409:
                self._progress.done(subject, "Resource is still in use")
                return
            if error.status != 404:
                raise
        self._progress.done(subject, "Removed")
