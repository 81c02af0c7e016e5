from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest

from havre.base.ids import new_id
from havre.kernel.netns import unpin_netns
from havre.networks.model import Attachment, Settings, Wishes
from havre.networks.networks import Networks
from tests.root.networks.world import Place, fresh_namespace, outside
from tests.support.handles import handles

Open = Callable[..., Awaitable[Networks]]
Join = Callable[..., Awaitable[tuple[Attachment, Place]]]


@pytest.fixture(autouse=True)
def world(tmp_path: Path) -> Iterator[None]:
    """A namespace of its own for every test, nothing of which is left, not even a descriptor."""
    before = handles()
    with fresh_namespace():
        yield
    left = list((tmp_path / "run" / "netns").glob("*"))
    for path in left:
        unpin_netns(path)
    mounts = Path("/proc/self/mountinfo").read_text()
    assert str(tmp_path) not in mounts
    assert handles() <= before


@pytest.fixture
async def open_networks(world: None, tmp_path: Path) -> AsyncIterator[Open]:
    async with AsyncExitStack() as undo:

        async def opened(settings: Settings | None = None, reconciled_with: Collection[str] = ()) -> Networks:
            networks = Networks(tmp_path / "data", tmp_path / "run", settings or Settings())
            undo.push_async_callback(networks.close)
            await networks.open()
            await networks.reconcile(reconciled_with)
            return networks

        yield opened


@pytest.fixture
async def join(world: None) -> AsyncIterator[Join]:
    """Attach one more sandbox and go there."""
    with ExitStack() as undo:

        async def joined(networks: Networks, wishes: Wishes | None = None) -> tuple[Attachment, Place]:
            attachment = await networks.attach(new_id(), wishes)
            place = Place.of(attachment)
            undo.callback(place.close)
            return attachment, place

        yield joined


@pytest.fixture
def here(world: None) -> Iterator[Place]:
    place = Place.here()
    yield place
    place.close()


@pytest.fixture
def near(world: None) -> Iterator[Place]:
    with outside("near", "198.51.100") as place:
        yield place


@pytest.fixture
def far(world: None) -> Iterator[Place]:
    with outside("far", "203.0.113") as place:
        yield place
