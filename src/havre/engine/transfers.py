"""Images to and from registries, as the Engine API streams it."""

from collections.abc import AsyncIterator
from typing import Protocol

from havre.base.errors import InvalidInput
from havre.engine.parts import Parts
from havre.engine.progress_lines import line_of
from havre.images.hello import HELLO, ensure_hello
from havre.images.images import Images
from havre.images.platforms import wished_platform
from havre.images.pulling import Pulls, PullWishes
from havre.images.pushing import Pushes, PushWishes
from havre.oci.reference import Reference
from havre.registry.client.keyring import Credentials
from havre.registry.client.registries import Registries
from havre.wire.images import AuthConfig
from havre.wire.progress import ProgressLine


class PullAsked(Protocol):
    """What a client wants; texts may be empty. Without a tag or a digest every tag is meant."""

    @property
    def reference(self) -> str:
        """The name."""

    @property
    def platform(self) -> str:
        """For which machines."""

    @property
    def auth(self) -> AuthConfig:
        """Who asks the registry."""


class PushAsked(Protocol):
    """What a client wants. Without a tag every tag is meant."""

    @property
    def reference(self) -> str:
        """The name."""

    @property
    def platform(self) -> str:
        """For which machines it has to be; empty for any."""

    @property
    def auth(self) -> AuthConfig:
        """Who asks the registry."""


class Transfers:
    """Pull and push."""

    def __init__(self, parts: Parts, images: Images, registries: Registries) -> None:
        self._parts = parts
        self._images = images
        self._pulls = Pulls(images.store, registries)
        self._pushes = Pushes(images.store, registries)

    async def pull(self, asked: PullAsked) -> AsyncIterator[ProgressLine]:
        """Pull an image, or every tag of a repository; a client that goes away stops it."""
        reference = Reference.parse(asked.reference)
        wishes = PullWishes(
            reference=reference,
            who=credentials_of(asked.auth),
            platform=wished_platform(asked.platform),
            every_tag=not (reference.tag or reference.digest),
        )
        if reference.with_default_tag() == HELLO:  # it comes with Havre, so that the first run needs no network
            await ensure_hello(self._images)
            yield {"status": f"Pulling from {HELLO.path}", "id": HELLO.tag}
            yield {"status": f"Status: Image is up to date for {HELLO.familiar}"}
            return
        async for event in self._pulls.pull(wishes):
            yield line_of(event)
        self._parts.events.publish("image", "pull", reference.familiar, {"name": reference.familiar_name})

    async def push(self, asked: PushAsked) -> AsyncIterator[ProgressLine]:
        """Push a tag, or every tag of a repository; a client that goes away stops it.

        Raises NoSuchImage for a tag whose image does not serve the platform asked for.
        """
        reference = Reference.parse(asked.reference)
        platform = wished_platform(asked.platform)
        if platform is not None and reference.tag:
            self._images.find(reference.familiar, platform)
        wishes = PushWishes(reference=reference, platform=platform, who=credentials_of(asked.auth))
        async for event in self._pushes.push(wishes):
            yield line_of(event)
        self._parts.events.publish("image", "push", reference.familiar, {"name": reference.familiar_name})


def credentials_of(auth: AuthConfig) -> Credentials:
    """What the client sent along. Raises InvalidInput for what no header can carry."""
    found = Credentials(
        username=auth.get("username") or "",
        password=auth.get("password") or "",
        identity_token=auth.get("identitytoken") or "",
        registry_token=auth.get("registrytoken") or "",
    )
    if any(not text.isprintable() for text in (found.username, found.registry_token)):
        raise InvalidInput("invalid X-Registry-Auth header: a value holds a control character")
    return found
