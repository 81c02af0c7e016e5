"""The networks of this host as the engine sees them."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from havre.base.errors import ResourceExhausted, Unavailable
from havre.base.exhaustion import EXHAUSTED
from havre.base.tasks import Tasks
from havre.networks.creation import NetworkWish
from havre.networks.firewall import TABLE
from havre.networks.model import Attachment, Network, NetworkFailed, Reconciled, Settings, Wishes
from havre.networks.plant import Plant, build_plant
from havre.networks.switchboard import Switchboard
from havre.networks.upkeep import Upkeep
from havre.networks.watch import LinkWatch, Ours, RuleWatch

_P = ParamSpec("_P")
_T = TypeVar("_T")
_log = logging.getLogger(__name__)
_SETTLE_S = 0.2


@dataclass(frozen=True, slots=True)
class _Parts:
    plant: Plant
    board: Switchboard
    upkeep: Upkeep


class Networks:
    """Keeps the networks, and connects sandboxes to them.

    Lifecycle: `open`, then `reconcile` with the sandboxes that still live, then `attach` and `detach` in any
    order; `close` leaves what is connected as it is. *root* is this room's folder below the data root. All
    that blocks happens in one thread of this object's own, one thing after the other.
    """

    def __init__(self, root: Path, exec_root: Path, settings: Settings) -> None:
        self._root = root
        self._exec_root = exec_root
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="networks")
        self._parts: _Parts | None = None
        self._ours = Ours(frozenset(), frozenset(), 0)
        self._watches: tuple[LinkWatch | RuleWatch, ...] = ()
        self._tasks = Tasks()
        self._repair_due = False

    async def open(self) -> None:
        """Make bridge, forwarding and rules, and keep an eye on them.

        Raises InvalidInput for settings that cannot be, Conflict, NetworkFailed, ResourceExhausted.
        """
        await self._call(self._open)
        loop = asyncio.get_running_loop()
        for watch in self._watches:
            loop.add_reader(watch.netlink.fileno(), self._on_news, watch)

    async def close(self) -> None:
        """Stop watching, finish removals that wait, end the thread. Closing twice is no error."""
        loop = asyncio.get_running_loop()
        for watch in self._watches:
            loop.remove_reader(watch.netlink.fileno())
            watch.netlink.close()
        self._watches = ()
        await self._tasks.close()
        parts, self._parts = self._parts, None
        if parts is not None:
            await loop.run_in_executor(self._thread, parts.plant.close)
        self._thread.shutdown(wait=False)

    def list(self) -> tuple[Network, ...]:
        """All networks."""
        return tuple(self._opened().plant.catalogue)

    def get(self, ref: str) -> Network:
        """The network with this name, id, or unambiguous beginning of an id. Raises NoSuchNetwork, InvalidInput."""
        return self._opened().plant.catalogue.get(ref)

    async def create(self, wish: NetworkWish) -> Network:
        """Make a network, durably; nothing is left when this raises.

        NetworkTaken, InvalidInput, Forbidden, NotFound for a driver, NotSupported, NoFreeAddress, NetworkFailed.
        """
        return await self._refreshing(self._opened().upkeep.create, wish)

    async def remove(self, network: Network) -> None:
        """Let a network go, durably. Raises Forbidden for a built-in one and for one in use, NetworkFailed."""
        await self._refreshing(self._opened().upkeep.remove, network)

    def attachments(self, network_id: str = "") -> tuple[Attachment, ...]:
        """Who is attached now, to this network or to any."""
        everyone = self._opened().board.attachments()
        return tuple(each for each in everyone if not network_id or each.find(network_id) is not None)

    def find_attachment(self, sandbox_id: str) -> Attachment | None:
        """How this sandbox is attached."""
        return self._opened().board.find(sandbox_id)

    async def attach(self, sandbox_id: str, wishes: Wishes | None = None) -> Attachment:
        """Give a sandbox its namespace and connect it as *wishes* say, by default to the bridge.

        When this raises, nothing is left of the attempt: NoSuchNetwork, InvalidInput, AlreadyAttached,
        AddressTaken, NoFreeAddress, ResourceExhausted, NetworkFailed.
        """
        wishes = wishes or Wishes()
        board = self._opened().board
        if wishes.shared:
            return Attachment(sandbox_id=sandbox_id, netns_path=wishes.shared)
        for join in wishes.joins:
            self.get(join.network)  # one that is not there is told before anything waits
        work = self._thread.submit(_translated(board.attach), sandbox_id, wishes)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            work.add_done_callback(lambda done: self._take_back(board, sandbox_id, done))
            raise

    async def detach(self, sandbox_id: str) -> None:
        """Take a sandbox off its networks; its addresses are free at once, links and namespace go in the background.

        An unknown sandbox is no error. Raises NetworkFailed; the same call may then be made again.
        """
        await self._call(self._opened().board.detach, sandbox_id)

    async def connect(self, sandbox_id: str, wishes: Wishes) -> Attachment:
        """Connect an attached sandbox to one network more; nothing is left when this raises, as with `attach`.

        The ports of *wishes* are published if only this network gives the sandbox a way to the world.
        """
        return await asyncio.shield(self._call(self._opened().board.connect, sandbox_id, wishes))

    async def disconnect(self, sandbox_id: str, network_id: str, wishes: Wishes) -> Attachment:
        """Take an attached sandbox off one network; ports of *wishes* are published by what is left.

        Raises InvalidInput when it is not on it, NetworkFailed.
        """
        return await asyncio.shield(self._call(self._opened().board.disconnect, sandbox_id, network_id, wishes))

    async def rename(self, sandbox_id: str, names: Mapping[str, tuple[str, ...]]) -> Attachment:
        """Let an attached sandbox be found by other names: *names* by the id of the network. Raises Conflict."""
        return await self._call(self._opened().board.rename, sandbox_id, names)

    async def reconcile(self, live: Collection[str]) -> Reconciled:
        """Bring records, kernel and the set of sandboxes that *live* together; once after `open`."""
        return await self._refreshing(self._opened().upkeep.reconcile, live)

    async def repair(self) -> None:
        """Put bridges, ports and rules right, as happens by itself when somebody else changed them."""
        await self._refreshing(self._opened().upkeep.repair)

    def _open(self) -> None:
        plant = build_plant(self._settings, self._root, self._exec_root)
        try:
            board = Switchboard(plant)
            self._parts = _Parts(plant, board, Upkeep(plant, board))
            self._watches = (LinkWatch(),)
            if self._settings.firewall:
                self._watches += (RuleWatch(),)
            self._look_again()
        except BaseException:
            self._parts = None
            plant.close()
            raise

    def _opened(self) -> "_Parts":
        if self._parts is None:
            raise Unavailable("networks are not open")
        return self._parts

    def _look_again(self) -> None:
        tables = frozenset({TABLE}) if self._settings.past_firewall else frozenset[str]()
        self._ours = Ours(self._opened().upkeep.bridge_indexes(), tables, threading.get_native_id())

    async def _refreshing(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """As `_call`, for what may change which links are ours."""

        def called() -> _T:
            try:
                return function(*args, **kwargs)
            finally:
                self._look_again()

        return await asyncio.shield(self._call(called))

    def _on_news(self, watch: LinkWatch | RuleWatch) -> None:
        if watch.news(self._ours) and not self._repair_due:
            self._repair_due = True
            _ = self._tasks.start(self._repair_soon(), name="repair networks")

    async def _repair_soon(self) -> None:
        """One repair for all that is changed in a short while; news that come during it lead to another."""
        await asyncio.sleep(_SETTLE_S)
        self._repair_due = False
        await self.repair()

    async def _call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await asyncio.wrap_future(self._thread.submit(_translated(function), *args, **kwargs))

    def _take_back(self, board: Switchboard, sandbox_id: str, done: "Future[Attachment]") -> None:
        """Undo an attachment that nobody waits for any more."""
        if not done.cancelled() and done.exception() is None:
            self._thread.submit(board.detach, sandbox_id)


def _translated(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """*function*, with errors of the kernel and the database as this room's own."""

    @wraps(function)
    def translated(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return function(*args, **kwargs)
        except OSError as error:
            kind = ResourceExhausted if error.errno in EXHAUSTED else NetworkFailed
            raise kind(f"failed to set up container networking: {error}") from error
        except sqlite3.Error as error:
            full = error.sqlite_errorcode in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
            kind = ResourceExhausted if full else NetworkFailed
            raise kind(f"failed to keep the state of networks: {error}") from error

    return translated
