"""The networks of this host as the engine sees them."""

import asyncio
import errno
import logging
import sqlite3
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from havre.base.errors import InvalidInput, ResourceExhausted, Unavailable
from havre.base.ids import is_id_prefix
from havre.base.tasks import Tasks
from havre.networks.model import (
    SHARED_PREFIX,
    Attachment,
    Network,
    NetworkFailed,
    NoSuchNetwork,
    Reconciled,
    Settings,
    Wishes,
)
from havre.networks.plant import build_plant
from havre.networks.switchboard import Switchboard
from havre.networks.watch import LinkWatch, Ours, RuleWatch

_P = ParamSpec("_P")
_T = TypeVar("_T")
_log = logging.getLogger(__name__)
_SETTLE_S = 0.2
_USED_UP = {errno.ENOSPC, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EDQUOT, errno.ENOBUFS}


class Networks:
    """Keeps the default networks, and connects sandboxes to them.

    Lifecycle: `open`, then `reconcile` with the sandboxes that still live, then `attach` and `detach` in any
    order; `close` leaves what is connected as it is. *root* is this room's folder below the data root. All
    that blocks happens in one thread of this object's own, one thing after the other.
    """

    def __init__(self, root: Path, exec_root: Path, settings: Settings) -> None:
        self._root = root
        self._exec_root = exec_root
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="networks")
        self._board: Switchboard | None = None
        self._networks: tuple[Network, ...] = ()
        self._ours = Ours(0, "", 0)
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
        board, self._board = self._board, None
        if board is not None:
            await loop.run_in_executor(self._thread, board.close)
        self._thread.shutdown(wait=False)

    def list(self) -> tuple[Network, ...]:
        """All networks."""
        return self._networks

    def get(self, ref: str) -> Network:
        """The network with this name, id, or unambiguous beginning of an id. Raises NoSuchNetwork, InvalidInput."""
        for network in self._networks:
            if ref in {network.id, network.name}:
                return network
        found = [network for network in self._networks if is_id_prefix(ref) and network.id.startswith(ref)]
        if len(found) > 1:
            raise InvalidInput(f"network {ref} is ambiguous ({len(found)} matches found on ID prefix)")
        if not found:
            raise NoSuchNetwork(f"network {ref} not found")
        return found[0]

    def attachments(self, network_id: str = "") -> tuple[Attachment, ...]:
        """Who is attached now, to this network or to any."""
        return tuple(each for each in self._opened().attachments() if not network_id or each.network_id == network_id)

    def find_attachment(self, sandbox_id: str) -> Attachment | None:
        """How this sandbox is attached."""
        return self._opened().find(sandbox_id)

    async def attach(self, sandbox_id: str, wishes: Wishes | None = None) -> Attachment:
        """Give a sandbox its namespace and connect it as *wishes* say, by default to the bridge.

        When this raises, nothing is left of the attempt: NoSuchNetwork, InvalidInput, AlreadyAttached,
        AddressTaken, NoFreeAddress, ResourceExhausted, NetworkFailed.
        """
        wishes = wishes or Wishes()
        board = self._opened()
        if wishes.network.startswith(SHARED_PREFIX):
            path = wishes.network.removeprefix(SHARED_PREFIX)
            return Attachment(sandbox_id=sandbox_id, network_name=wishes.network, netns_path=path)
        network = self.get(wishes.network)
        work = self._thread.submit(_translated(board.attach), sandbox_id, network, wishes)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            work.add_done_callback(lambda done: self._take_back(board, sandbox_id, done))
            raise

    async def detach(self, sandbox_id: str) -> None:
        """Take a sandbox off its network; its address is free at once, its links and namespace go in the background.

        An unknown sandbox is no error. Raises NetworkFailed; the same call may then be made again.
        """
        await self._call(self._opened().detach, sandbox_id)

    async def reconcile(self, live: Collection[str]) -> Reconciled:
        """Bring records, kernel and the set of sandboxes that *live* together; once after `open`."""
        return await self._call(self._opened().reconcile, live)

    async def repair(self) -> None:
        """Put bridge, ports and rules right, as happens by itself when somebody else changed them."""
        await self._call(self._repair)

    def _open(self) -> None:
        plant = build_plant(self._settings, self._root, self._exec_root)
        try:
            self._board = Switchboard(plant)
            self._watches = (LinkWatch(),)
            if self._settings.firewall:
                self._watches += (RuleWatch(),)
            self._ours = self._board.ours()
        except BaseException:
            self._board = None
            plant.close()
            raise
        self._networks = tuple(plant.networks.values())

    def _opened(self) -> Switchboard:
        if self._board is None:
            raise Unavailable("networks are not open")
        return self._board

    def _repair(self) -> None:
        board = self._opened()
        board.repair()
        self._ours = board.ours()

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
            kind = ResourceExhausted if error.errno in _USED_UP else NetworkFailed
            raise kind(f"failed to set up container networking: {error}") from error
        except sqlite3.Error as error:
            full = error.sqlite_errorcode in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
            kind = ResourceExhausted if full else NetworkFailed
            raise kind(f"failed to keep the state of networks: {error}") from error

    return translated
