"""`havre upgrade`: put a container on a newer image, and back when that is not well."""

from __future__ import annotations

import time

from havre.cli.command import Command
from havre.cli.flags import Given, number, switch, text
from havre.cli.pulling import pull
from havre.cli.screen import Screen
from havre.cli.successor import successor
from havre.client.client import Client
from havre.client.errors import ClientError
from havre.wire.containers import ContainerInspect, CreateResponse
from havre.wire.images import ImageInspect

_POLL_S = 0.2


def run(given: Given, client: Client, screen: Screen) -> int:
    """Print the new container's id; 1 when the old one runs again."""
    (name,) = given.args
    shown = client.get(f"/containers/{name}/json", ContainerInspect)
    config = shown.get("Config") or {}
    state, host = shown.get("State") or {}, shown.get("HostConfig") or {}
    if state.get("Running") and host.get("AutoRemove"):
        raise ClientError(f"container {name} removes itself when it ends: there would be nothing to go back to")
    image = given.text("image") or str(config.get("Image"))
    if given.switch("pull"):
        pull(client, screen, image, "", quiet=True, to_stderr=True)
    old_image, new_image = (client.get(f"/images/{one}/json", ImageInspect) for one in (shown.get("Image"), image))
    if old_image.get("Id") == new_image.get("Id"):
        screen.error(f"{name} is on that image already")
        return 0
    body = successor({**shown}, {**(old_image.get("Config") or {})}, image)
    return _Change(client, screen, shown).make(body, given)


class _Change:
    """The old container stays under another name until the new one is well."""

    def __init__(self, client: Client, screen: Screen, shown: ContainerInspect) -> None:
        self._client, self._screen = client, screen
        self._old = str(shown.get("Id"))
        self._name = str(shown.get("Name")).removeprefix("/")
        self._ran = bool((shown.get("State") or {}).get("Running"))
        self._aside = f"{self._name}-before-{self._old[:12]}"

    def make(self, body: dict[str, object], given: Given) -> int:
        client = self._client
        new = str(client.post("/containers/create", CreateResponse, {"name": f"{self._name}-upgrade"}, body).get("Id"))
        try:
            if self._ran:
                client.act("POST", f"/containers/{self._old}/stop")
            self._rename(self._old, self._aside)
            self._rename(new, self._name)
            if self._ran:
                client.act("POST", f"/containers/{new}/start")
                self._watch(new, given.number("patience"), given.number("settle"))
        except (ClientError, KeyboardInterrupt) as failed:
            self._go_back(new)
            reason = str(failed) or "interrupted"
            self._screen.error(f"{self._name} was not upgraded, the old container is back: {reason}")
            return 1
        if not given.switch("keep-old"):
            client.act("DELETE", f"/containers/{self._old}")
        self._screen.line(new)
        return 0

    def _watch(self, new: str, patience_s: int, settle_s: int) -> None:
        """Until its health check finds it well, else for *settle_s*. Raises ClientError when it is not."""
        began = time.monotonic()
        while True:
            state = self._client.get(f"/containers/{new}/json", ContainerInspect).get("State") or {}
            health = (state.get("Health") or {}).get("Status") or "none"
            if not state.get("Running") or state.get("Restarting"):
                raise ClientError(f"the new one ended with exit code {state.get('ExitCode')}")
            if health == "unhealthy":
                raise ClientError("the new one is unhealthy")
            past_s = time.monotonic() - began
            if health == "healthy" or (health == "none" and past_s >= settle_s):
                return
            if past_s >= patience_s + settle_s:
                raise ClientError(f"the new one is not healthy after {patience_s + settle_s} s")
            time.sleep(_POLL_S)

    def _go_back(self, new: str) -> None:
        client = self._client.another()
        client.act("DELETE", f"/containers/{new}", {"force": True})
        shown = client.get(f"/containers/{self._old}/json", ContainerInspect)
        if str(shown.get("Name")).removeprefix("/") != self._name:
            self._rename(self._old, self._name)
        if self._ran:
            client.act("POST", f"/containers/{self._old}/start")

    def _rename(self, container: str, name: str) -> None:
        self._client.act("POST", f"/containers/{container}/rename", {"name": name})


COMMAND = Command(
    summary="Put a container on a newer image; back to the old one when the new one is not well",
    usage="[OPTIONS] CONTAINER",
    flags=(
        text("image", "The image to go to (default: what the container's image is called, as that is now)"),
        switch("keep-old", "Keep the old container, under another name"),
        number("patience", "Seconds in which a container with a health check must become healthy", default=120),
        switch("pull", "Pull the image first"),
        number("settle", "Seconds that a container without a health check must run", default=5),
    ),
    at_least=1,
    at_most=1,
    run=run,
)
