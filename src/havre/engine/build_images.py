"""The images that Dockerfiles name: those that are here, and the others from their registries."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing

from havre.base.errors import HavreError
from havre.build.model import PullTold
from havre.engine.parts import Parts
from havre.images.hello import HELLO, ensure_hello
from havre.images.images import Images
from havre.images.model import Image, NoSuchImage
from havre.images.pulling import Pulls, PullWishes
from havre.images.transfer_events import LayerBytes, LayerState, Note, TransferEvent
from havre.oci.descriptor import Platform
from havre.oci.reference import Reference
from havre.registry.client.keyring import Credentials
from havre.registry.client.registries import Registries, credentials_for


class BuildImages:
    """Implements `build.seams.ImageSource`."""

    def __init__(self, parts: Parts, images: Images, registries: Registries) -> None:
        self._parts = parts
        self._images = images
        self._pulls = Pulls(images.store, registries)

    async def find(
        self,
        name: str,
        platform: Platform | None,
        who: Mapping[str, Credentials],
        *,
        pull: bool,
        told: Callable[[PullTold], Awaitable[None]],
    ) -> Image:
        """See `build.seams.ImageSource`."""
        here = self._here(name, platform)
        if here is not None and not pull:
            return here
        reference = Reference.parse(name).with_default_tag()
        if reference == HELLO:
            await ensure_hello(self._images)
        else:
            wishes = PullWishes(reference=reference, who=credentials_for(reference.domain, who), platform=platform)
            async with aclosing(self._pulls.pull(wishes)) as events:  # type: ignore[type-var]  # a generator
                async for event in events:
                    if (line := _told(event)) is not None:
                        await told(line)
            self._parts.events.publish("image", "pull", reference.familiar, {"name": reference.familiar_name})
        found = self._here(name, platform)
        if found is None:
            raise NoSuchImage(f"No such image: {name}")
        return found

    def _here(self, name: str, platform: Platform | None) -> Image | None:
        try:
            return self._images.find(name, platform)
        except HavreError:
            return None


def _told(event: TransferEvent) -> PullTold | None:
    match event:
        case LayerState(layer, state):
            return PullTold(layer, state)
        case LayerBytes(layer, state, current, total):
            return PullTold(layer, state, current, total)
        case Note(text, identifier):
            return PullTold(identifier, text)
        case _:
            return None
