"""havred's door to the runtime: containers are launched, found again after a restart, and taken away."""

import asyncio
import contextlib
import os
import signal
import socket
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Raw

from havre.base.errors import HavreError, InvalidInput
from havre.base.tasks import in_thread
from havre.kernel.cgroups import Cgroups, open_cgroups
from havre.kernel.cgroups.naming import is_gone
from havre.kernel.channel import Channel, ChannelClosed, connect
from havre.kernel.libc import KernelError
from havre.kernel.process import boot_id, pidfd_open, pidfd_send_signal, start_time
from havre.runtime.bundle import AttachWishes, Bundle, ExecRequest, Exit, LogTarget, Stdio
from havre.runtime.errors import LauncherGone, NoSuchProcess, ShimGone, StartFailed
from havre.runtime.link import Link
from havre.runtime.messages import Attach, Head, Hello, Launch, Started, State, encode
from havre.runtime.run_dir import Birthmark, RunDir
from havre.runtime.sealed import start_launcher
from havre.runtime.shim_client import Shim
from havre.runtime.spawn import joined_flags

__all__ = [
    "AttachWishes",
    "Bundle",
    "ExecRequest",
    "Exit",
    "LogTarget",
    "NoSuchProcess",
    "Runtime",
    "Shim",
    "ShimGone",
    "StartFailed",
    "Stdio",
]

_KILLED = 137
_DISMISSED_WITHIN_S = 2.0
_LOST = "the process that held the container (its shim) was killed, and the container with it"


class Runtime:
    """Run folders are *exec_root*/<id>; a bundle's `run_dir` is that.

    `open` starts the launcher, which is started again when it was killed; `close` ends it, and containers go on.
    With *cgroup_parent* a container is kept half born in there, for the next one whose cgroup is to lie there too.
    *fail_at* makes each birth, or with `guest:` before it each exec session's, fail at that step: the tests' own.
    """

    def __init__(self, exec_root: Path, *, cgroup_parent: str = "", fail_at: str = "") -> None:
        self._exec_root = exec_root
        self._cgroup_parent = cgroup_parent
        self._fail_at = fail_at
        self._launcher: Channel | None = None
        self._launcher_pid = 0
        self._spare: Channel | None = None
        self._starting = asyncio.Lock()
        self._cgroups: Cgroups | None = None
        self._shims: dict[str, Shim] = {}
        # A link may outlast its shim's place above: until the process behind it is gone, the loop alone holds it.
        self._links: weakref.WeakSet[Link] = weakref.WeakSet()

    async def open(self) -> None:
        """Start the launcher, and wait until it is ready."""
        self._cgroups = open_cgroups()
        self._exec_root.mkdir(parents=True, exist_ok=True)
        await self._ready_launcher()

    async def close(self) -> None:
        """End the launcher; shims and containers go on."""
        for shim in list(self._shims.values()):
            shim.close()
        self._shims.clear()
        for link in list(self._links):
            link.close()
        self._end_launcher()
        if self._cgroups is not None:
            self._cgroups.close()
            self._cgroups = None

    def run_dir(self, container_id: str) -> str:
        """The run folder that a bundle of this container must name."""
        return str(self._exec_root / container_id)

    @property
    def launcher_pid(self) -> int:
        """The launcher's number; 0 when none runs."""
        return self._launcher_pid

    async def launch(self, bundle: Bundle, attachments: "Sequence[tuple[socket.socket, AttachWishes]]" = ()) -> Shim:
        """Start a container; it returns when the user's program has been executed.

        The sockets of *attachments* are joined before the first byte of output; `Shim.attachments` tells their ends.
        Raises StartFailed, and then nothing is left; LauncherGone, ShimGone when a process of ours was killed.
        """
        if bundle.run_dir != self.run_dir(bundle.id):
            raise InvalidInput(f"the run folder of {bundle.id} is {self.run_dir(bundle.id)}, not {bundle.run_dir}")
        shim = Shim(bundle.id)
        channel, taken = await self._fresh_shim()
        link = self._bind(shim, channel)
        wishes = [Attach(link.number(), wish) for _, wish in attachments]
        shim.attachments = tuple(link.attached(wish.seq) for wish in wishes)
        fds = [connection.fileno() for connection, _ in attachments]
        try:
            answer = await link.ask(Launch(_head(bundle), Raw(encode(bundle)), wishes), fds, seq=0)
        except ShimGone:
            link.close()
            await self.remove(bundle.id)
            raise
        except BaseException:
            link.close()
            raise
        finally:
            taken()
        if isinstance(answer, Started):
            shim.pid, shim.started_ns, shim.steps = answer.pid, answer.started_ns, answer.steps
        self._hold(shim)
        return shim

    async def _fresh_shim(self) -> "tuple[Channel, Callable[[], None]]":
        """The channel of one that has nothing to do yet, and what to call once it has done it. Raises LauncherGone.

        Only then may the launcher prepare the next one, whose cgroup has the name that this one's had.
        """
        launcher = await self._ready_launcher()
        spare, self._spare = self._spare, None

        def taken() -> None:
            with contextlib.suppress(ChannelClosed, OSError):
                launcher.send(b"taken")

        try:
            if spare is not None:
                if _lives(spare):
                    return spare, taken
                spare.close()
                taken()
            ours, theirs = Channel.pair()
            try:
                launcher.send(b"", [theirs.fileno()])
            finally:
                theirs.close()
        except (ChannelClosed, BlockingIOError) as error:
            raise LauncherGone("the process that starts containers does not answer") from error
        return ours, lambda: None

    async def adopt(self, container_id: str) -> Shim | None:
        """The shim of a container that an earlier havred started; None when there is none any more.

        One that is about to end is given too, with its exit.
        """
        known = self._shims.get(container_id)
        if known is not None:
            return known
        try:
            sock = connect(RunDir(self.run_dir(container_id)).socket)
        except KernelError:
            return None
        shim = Shim(container_id)
        link = self._bind(shim, Channel(sock))
        try:
            seq = link.number()
            state = await link.ask(Hello(seq), seq=seq)
        except (ShimGone, HavreError):
            link.close()
            return None
        if isinstance(state, State):
            shim.adopt(state)
        self._hold(shim)
        return shim

    def ended(self, container_id: str) -> Exit | None:
        """How the container ended, once its shim is gone; None when nobody knows, as after a reboot.

        A shim that was killed wrote nothing: what it held is killed with `remove`.
        """
        run_dir = RunDir(self.run_dir(container_id))
        known, mark = run_dir.exit(), run_dir.state()
        if known is None and mark is not None and mark.boot_id == boot_id():
            return Exit(code=_KILLED, finished_ns=time.time_ns(), error=_LOST)
        return known

    async def remove(self, container_id: str) -> None:
        """Take away what a container left: processes whose shim is gone, cgroup, run folder. Idempotent."""
        self._shims.pop(container_id, None)
        await in_thread(self._sweep, container_id)

    def _bind(self, shim: Shim, channel: Channel) -> Link:
        link = Link(channel, shim.heard)
        self._links.add(link)
        shim.bind(link)
        return link

    def _hold(self, shim: Shim) -> None:
        self._shims[shim.id] = shim
        shim.on_lost = lambda: self._lost(shim)
        shim.ended.add_done_callback(lambda _: self._shims.pop(shim.id, None))

    def _lost(self, shim: Shim) -> None:
        """The shim was killed: what it wrote last counts; else the container is ended, since nobody holds it."""
        run_dir = RunDir(self.run_dir(shim.id))
        known = run_dir.exit()
        if known is None:
            with contextlib.suppress(HavreError, OSError):
                self._kill(run_dir.state())
            known = Exit(code=_KILLED, finished_ns=time.time_ns(), error=_LOST)
        shim.finish(known)

    def _sweep(self, container_id: str) -> None:
        run_dir = RunDir(self.run_dir(container_id))
        mark = run_dir.state()
        if not self._is_clear(mark, run_dir.exit()):
            self._kill(mark)
            if mark is not None and mark.cgroup and self._cgroups is not None:
                self._cgroups.remove(mark.cgroup)
        run_dir.remove()

    def _is_clear(self, mark: Birthmark | None, ending: Exit | None) -> bool:
        """Whether a shim saw to it that nothing but the run folder is left."""
        if mark is None or ending is None or self._cgroups is None:
            return False
        return not mark.cgroup or is_gone(self._cgroups, mark.cgroup)

    def _kill(self, mark: Birthmark | None) -> None:
        """End the container's processes, if they are still those that *mark* was written for."""
        if mark is None:
            return
        if mark.cgroup and self._cgroups is not None:
            self._cgroups.kill(mark.cgroup)
        if mark.boot_id != boot_id():
            return
        try:
            held = pidfd_open(mark.pid)
        except KernelError:
            return
        try:
            if start_time(mark.pid) == mark.start_ticks:
                pidfd_send_signal(held, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            os.close(held)

    async def _ready_launcher(self) -> Channel:
        async with self._starting:
            if self._launcher is None:
                self._launcher = await self._start_launcher()
            return self._launcher

    async def _start_launcher(self) -> Channel:
        ours, theirs = Channel.pair()
        os.set_inheritable(theirs.fileno(), True)
        try:
            self._launcher_pid = start_launcher(theirs.fileno(), self._fail_at, self._cgroup_parent)
        finally:
            theirs.close()
        ours.socket.setblocking(False)
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[bool] = loop.create_future()
        loop.add_reader(ours.fileno(), self._launcher_spoke, ours, ready)
        if not await ready:
            raise LauncherGone("the process that starts containers ended at once; its words are in the log")
        return ours

    def _launcher_spoke(self, channel: Channel, ready: "asyncio.Future[bool]") -> None:
        while self._one_word(channel, ready):  # all there is, for the reason that Link tells
            pass

    def _one_word(self, channel: Channel, ready: "asyncio.Future[bool]") -> bool:
        """Whether the launcher had said something."""
        try:
            _, fds = channel.receive()
        except BlockingIOError:
            return False
        except ValueError:
            fds = []  # no handle was free for the spare that came: it ends, and the next start does without
        except (ChannelClosed, OSError):
            if not ready.done():
                ready.set_result(False)
            if self._launcher is channel or self._launcher is None:
                asyncio.get_running_loop().remove_reader(channel.fileno())
                channel.close()
                self._launcher = None
                self._dismiss_spare()
                self._reap_launcher()
            return False
        if fds:
            self._dismiss_spare()
            self._spare = Channel(socket.socket(fileno=fds[0]))
        if not ready.done():
            ready.set_result(True)
        return True

    def _dismiss_spare(self, within_s: float = 0.0) -> None:
        """Let the spare shim go, and wait so long for the end of all that it had prepared."""
        spare, self._spare = self._spare, None
        if spare is None:
            return
        with contextlib.suppress(OSError):
            spare.socket.settimeout(within_s)
            spare.socket.shutdown(socket.SHUT_WR)
            spare.socket.recv(1)
        spare.close()

    def _end_launcher(self) -> None:
        self._dismiss_spare(_DISMISSED_WITHIN_S)
        if self._launcher is not None:
            asyncio.get_running_loop().remove_reader(self._launcher.fileno())
            self._launcher.close()
            self._launcher = None
            self._reap_launcher()

    def _reap_launcher(self) -> None:
        pid, self._launcher_pid = self._launcher_pid, 0
        if pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _lives(spare: Channel) -> bool:
    """Whether nobody has closed the other end, on which nothing is ever said unasked."""
    try:
        spare.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _head(bundle: Bundle) -> Head:
    linux = bundle.spec.linux
    pid = next((entry for entry in (linux.namespaces if linux else None) or () if entry.type == "pid"), None)
    return Head(
        bundle.id,
        bundle.run_dir,
        bundle.stdio,
        bundle.log,
        linux.cgroups_path if linux else "",
        # What a foreign runtime makes is not the keeper's child: the worker stays and waits for it.
        own_pids=pid is not None and not pid.path and not bundle.tool,
        joins=joined_flags(bundle.spec),
        tool=bundle.tool,
        explain=bundle.explain,
    )
