"""The container that a shim owns: its birth, its exec sessions, its end."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from havre.base.errors import HavreError
from havre.kernel.cgroups import Cgroups
from havre.kernel.channel import listen
from havre.kernel.libc import KernelError
from havre.kernel.procfs import Proc
from havre.oci.runtime_spec import Resources
from havre.runtime.bundle import AttachWishes, ExecRequest, Exit, LogTarget, Stdio
from havre.runtime.cradle import Cradle, Place, make_cradle
from havre.runtime.errors import NoSuchProcess, NotNow, StartFailed
from havre.runtime.foreign import birth as foreign
from havre.runtime.foreign.birth import Around
from havre.runtime.foreign.tool import Tool
from havre.runtime.guest import Guest, make_guest
from havre.runtime.init.enter import Host
from havre.runtime.init.finish import Pipes, Terminal
from havre.runtime.init.progress import Progress
from havre.runtime.messages import ExecState, Execute, Head, Memory, decode_bundle, decode_exec_request
from havre.runtime.run_dir import RunDir
from havre.runtime.shim.attachment import Attachment, dup_socket
from havre.runtime.shim.loop import Loop
from havre.runtime.shim.output_log import open_log
from havre.runtime.shim.session import Session, call_at_child_death, reap_strays, wait_for
from havre.runtime.shim.streams import Streams
from havre.runtime.spawn import Birth, Order, spawn, spawn_guest

_KEPT_CODES = 256
_TOLD_CODES = 64
_GUEST = "guest:"
_GUEST_AFTER_S = 0.005
_PIDFD, _GROUP = "pidfd", "group"

Told = Callable[[StartFailed | None, int], None]
"""Called when a start is decided: with the failure, or None and the pid."""


class Tools(NamedTuple):
    """What the launcher made ready before it forked."""

    cgroups: Cgroups
    proc: Proc
    fail_at: str
    spare_group: str = ""
    empty: int = -1


class Container:
    """Born by `launch`, or taken over from an earlier worker by `resume`.

    *cradle* is a child that waits for the launch, if there is one. When the first process has ended, `on_exit` is
    called, which says whether anybody heard; `on_over` when all is done. *reap* waits for it: it is the keeper's child.
    """

    def __init__(self, tools: Tools, loop: Loop, reap: Callable[[int], int]) -> None:
        self.exit: Exit | None = None
        self.started_ns = 0
        self.frozen = False
        self.on_exit: Callable[[Exit], bool] | None = None
        self.on_exec_exit: Callable[[str, int], None] | None = None
        self.on_listening: Callable[[int], None] | None = None
        self.on_over: Callable[[], None] | None = None
        self.on_launch: Callable[[], None] | None = None
        self.launched = False
        self._tools = tools
        self._loop = loop
        self._reap = reap
        self._head = Head("", "", Stdio(), LogTarget(), "", own_pids=True, joins=0)
        self._group_fd: int | None = None
        self._first: Session | None = None
        self._execs: dict[str, Session] = {}
        self._codes: dict[str, int] = {}
        self._bare: set[str] = set()
        self._lingering = 0
        self._guest: Guest | None = None
        self._last = msgspec.Raw()
        self.cradle: Cradle | None = None

    @property
    def pid(self) -> int:
        """The first process as the host numbers it."""
        return self._first.pid if self._first else 0

    @property
    def steps(self) -> "list[tuple[str, int]]":
        """The steps of its birth, where they were asked for."""
        return self._first.steps if self._first else []

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way that only this worker knows of."""
        first = self._first
        if first is None or not first.running or self._execs or self._lingering:
            return False
        return self._head.own_pids and first.streams.quiet

    def launch(self, head: Head, bundle: msgspec.Raw, attach: Callable[[Streams], None], told: Told) -> None:
        """Start the first process; *attach* joins the clients that were there before it."""
        self._head = head
        self.launched = True
        if self.on_launch is not None:
            self.on_launch()
        if self.cradle is not None:
            self.cradle.show(bundle)
        streams = Streams(head.stdio, self._loop, head.log, head.id)
        reap = self._reap if head.own_pids else wait_for
        session = self._first = Session("", streams, self._loop, reap)
        attach(streams)
        session.on_decided = lambda failure, birth: self._launched(failure, birth, told)
        session.on_exit = self._ended
        tools, run_dir = self._tools, RunDir(head.run_dir)
        try:
            birth = self._bear(bundle, streams.open(), reap if head.own_pids else None)
        except StartFailed as error:
            self._launched(error, None, told)
            return
        self.started_ns = time.time_ns()
        session.bear(birth)
        run_dir.write_state(birth.pid, self.started_ns, head.cgroup)
        if self.on_listening is not None:
            self.on_listening(listen(run_dir.socket).detach())
        if head.cgroup and self._tool is None:
            self._group_fd = tools.cgroups.clone_fd(head.cgroup)
        if not head.own_pids:
            call_at_child_death(self._loop, self._reap_strays)

    def _bear(self, packed: msgspec.Raw, stdio: Pipes | Terminal, reap: Callable[[int], int] | None) -> Birth:
        """By the child that waits, if it fits."""

        def meanwhile() -> None:
            RunDir(self._head.run_dir).make()
            _try_log(self._head.log)

        bundle, tools, head = decode_bundle(packed), self._tools, self._head
        cradle, self.cradle = self.cradle, None
        if cradle is not None and self._tool is not None:
            cradle.bury()
            cradle = None
        birth = cradle.take(bundle, stdio, meanwhile) if cradle is not None else None
        if birth is None:
            meanwhile()
            progress = Progress(_own(tools))
            order = Order(bundle, stdio, tools.cgroups, tools.proc, progress, reap=reap)
            birth = spawn(order) if self._tool is None else foreign.create(self._tool, head.id, order)
        birth.wants_steps = head.explain
        return birth

    def resume(self, memory: Memory, fds: "dict[str, int]") -> None:
        """Go on where an earlier worker stopped."""
        self.launched = True
        self._head, self.started_ns, self.frozen = memory.head, memory.started_ns, memory.frozen
        self._codes = {known.id: known.code or 0 for known in memory.codes}
        self._group_fd = fds.get(_GROUP)
        streams = Streams(memory.head.stdio, self._loop, memory.head.log, memory.head.id)
        session = self._first = Session("", streams, self._loop, self._reap)
        session.on_exit = self._ended
        streams.resume(fds)
        session.resume(memory.pid, fds[_PIDFD])

    def remember(self) -> "tuple[Memory, dict[str, int], dict[str, int]]":
        """(what the next worker must know, descriptors to watch, descriptors to keep)."""
        first = self._running()
        self._send_guest_away()
        watched, kept = first.streams.remember()
        watched[_PIDFD] = first.pidfd
        if self._group_fd is not None:
            kept[_GROUP] = self._group_fd
        codes = [ExecState(name, 0, code) for name, code in self._codes.items()]
        memory = Memory(self._head, first.pid, self.started_ns, self.frozen, codes, [])
        return memory, watched, kept

    def attach(self, fd: int, wishes: AttachWishes, exec_id: str, ended: Callable[[bool], None]) -> None:
        """Join a client to the first process or to an exec session. Raises NoSuchProcess; *fd* is taken anyway."""
        session = self._execs.get(exec_id) if exec_id else self._first
        if session is None or not session.running:
            os.close(fd)
            raise NoSuchProcess(f"exec session {exec_id} has ended" if exec_id else "the container has ended")
        if not session.streams.terminal and wishes.detach_keys:
            wishes = replace(wishes, detach_keys=b"")
        join(session.streams, fd, wishes, self._loop, ended)

    def execute(self, wanted: Execute, attach: Callable[[Streams], None], told: Told) -> None:
        """Start a further process."""
        self._running()
        if self.frozen:
            raise NotNow("the container is paused, unpause it before exec")
        if wanted.id in self._execs:
            raise NotNow(f"exec session {wanted.id} runs already")
        streams = Streams(wanted.stdio, self._loop)
        session = Session(wanted.id, streams, self._loop, wait_for)
        attach(streams)
        self._enter(session, wanted, told, bare=False)

    def resize(self, height: int, width: int, exec_id: str) -> None:
        """Tell its terminal, if it has one, the size. Raises NoSuchProcess."""
        session = self._execs.get(exec_id) if exec_id else self._first
        if session is None or not session.running:
            raise NoSuchProcess("the process has ended")
        session.streams.resize(height, width)

    def signal(self, number: int, *, whole: bool) -> None:
        """Raises NoSuchProcess."""
        session = self._running()
        if whole and self._head.cgroup:
            self._tools.cgroups.kill(self._head.cgroup, number)
        elif not session.signal(number):
            raise NoSuchProcess("the container has ended")
        if number == signal.SIGKILL and self.frozen and self._head.cgroup:
            self.freeze(frozen=False)  # the dead must run to die

    def freeze(self, *, frozen: bool) -> None:
        """Pause or go on."""
        self._running()
        if frozen:
            self._tools.cgroups.freeze(self._head.cgroup)
        else:
            self._tools.cgroups.thaw(self._head.cgroup)
        self.frozen = frozen

    def update(self, resources: Resources) -> None:
        """Change the limits."""
        self._running()
        self._tools.cgroups.apply(self._head.cgroup, resources)

    def pids(self) -> "list[int]":
        """All processes as the host numbers them."""
        self._running()
        return self._tools.cgroups.pids(self._head.cgroup)

    def execs(self) -> "list[ExecState]":
        """The sessions that run, and the latest ended ones; from now on those count as told."""
        running = [ExecState(session.id, session.pid) for session in self._execs.values() if session.running]
        ended = [ExecState(name, 0, code) for name, code in self._codes.items()]
        self._keep_codes(_TOLD_CODES)
        return running + ended

    def keep_code(self, exec_id: str, code: int, *, told: bool) -> None:
        """Keep how *exec_id* ended for the next havred: one that was *told* may die before it writes that down."""
        self._codes[exec_id] = code
        self._keep_codes(_TOLD_CODES if told else _KEPT_CODES)

    def _keep_codes(self, count: int) -> None:
        while len(self._codes) > count:
            self._codes.pop(next(iter(self._codes)))

    def _running(self) -> Session:
        if self._first is None or not self._first.running:
            raise NoSuchProcess("the container has ended")
        return self._first

    def _launched(self, failure: StartFailed | None, birth: Birth | None, told: Told) -> None:
        session = self._first
        if session is None:
            return
        if failure is None:
            if self._tool is not None:
                RunDir(self._head.run_dir).write_state(session.pid, self.started_ns, self._head.cgroup)
            told(None, session.pid)
            return
        session.streams.close()
        if birth is not None:
            self._remove_cgroup()
        RunDir(self._head.run_dir).remove()
        told(failure, 0)
        if self.on_over is not None:
            self.on_over()

    def _enter(self, session: Session, wanted: Execute, told: Told, *, bare: bool) -> None:
        session.on_decided = lambda failure, birth: self._entered(session, wanted, told, failure, birth)
        session.on_exit = lambda: self._exec_ended(session)

        stdio = session.streams.open()
        self._last = wanted.request
        guest, self._guest = self._guest, None
        birth = guest.take(wanted.request, stdio, bare=bare) if guest is not None else None
        try:
            if birth is None:
                birth = self._spawn_guest(lambda: _request(wanted, bare=bare), stdio)
        except StartFailed as error:
            session.streams.close()
            told(error, 0)
            return
        self._execs[session.id] = session
        session.bear(birth)

    def _door(self) -> "tuple[Host, int | None, Progress]":
        """What a child needs to enter: the host, the group that it is born in, its progress."""
        tools, head = self._tools, self._head
        host = Host(self.pid, self._running().pidfd, head.joins, tools.cgroups, head.cgroup, tools.proc)
        fail_at = tools.fail_at.removeprefix(_GUEST) if tools.fail_at.startswith(_GUEST) else ""
        return host, self._group_fd, Progress(fail_at)

    def _expect_guest(self) -> None:
        """Another session may follow the one that has just ended."""
        running = self._first is not None and self._first.running
        if running and self._guest is None and self._group_fd is None and not self._execs and self._tool is None:
            host, _, progress = self._door()
            self._guest = make_guest(host, progress, self._last)

    def _send_guest_away(self) -> None:
        if self._guest is not None:
            self._guest.bury()
            self._guest = None

    def _spawn_guest(self, request: Callable[[], ExecRequest], stdio: Pipes | Terminal) -> Birth:
        host, group_fd, progress = self._door()
        if self._tool is not None:
            around = Around(stdio, progress, host, self.pid)
            return foreign.execute(self._tool, self._head.id, request, around)
        return spawn_guest(request, stdio, host, group_fd, progress)

    @property
    def _tool(self) -> Tool | None:
        """What makes the processes of this container, if that is not we."""
        head = self._head
        return Tool(tuple(head.tool), RunDir(head.run_dir).foreign) if head.tool else None

    def _entered(
        self, session: Session, wanted: Execute, told: Told, failure: StartFailed | None, birth: Birth
    ) -> None:
        if failure is None:
            self._bare.discard(session.id)
            told(None, session.pid)
            return
        del self._execs[session.id]
        if birth.failed_step == "fork" and session.id not in self._bare and self._first and self._first.running:
            # The filter does not let one fork: then it has to come after the last fork.
            self._bare.add(session.id)
            self._enter(session, wanted, told, bare=True)
            return
        self._bare.discard(session.id)
        session.streams.close()
        told(failure, 0)

    def _exec_ended(self, session: Session) -> None:
        session.streams.finish_reading()
        del self._execs[session.id]
        if self.on_exec_exit is not None and session.code is not None:
            self.on_exec_exit(session.id, session.code)
        self._let_go(session)
        self._loop.after(_GUEST_AFTER_S, self._expect_guest)

    def _ended(self) -> None:
        """Nothing of the container may stay: its processes, then its last words, then the status, then the rest."""
        session = self._first
        if session is None or session.code is None:
            return
        self._send_guest_away()
        oom_killed = self._end_others()
        session.streams.finish_reading()
        self.exit = Exit(code=session.code, oom_killed=oom_killed, finished_ns=time.time_ns())
        RunDir(self._head.run_dir).write_exit(self.exit)
        if self._tool is not None:
            foreign.forget(self._tool, self._head.id)
        if self.on_exit is None or not self.on_exit(self.exit):
            # Who hears of it removes the group before the next run makes one of the same name; so we must not then.
            self._remove_cgroup()
        self._let_go(session)

    def _end_others(self) -> bool:
        """Kill what is left in the group; whether memory was what ended the container."""
        if not self._head.cgroup:
            return False
        cgroups = self._tools.cgroups
        try:
            if not self._head.own_pids:
                cgroups.kill(self._head.cgroup, signal.SIGKILL)
            return cgroups.oom_killed(self._head.cgroup)
        except (OSError, HavreError):
            return False

    def _let_go(self, session: Session) -> None:
        """Everything is said: stay until the session's clients have taken it."""
        self._lingering += 1
        session.streams.on_empty = self._emptied
        session.streams.finish()

    def _emptied(self) -> None:
        self._lingering -= 1
        if not self._lingering and self.exit is not None and not self._execs and self.on_over is not None:
            self.on_over()

    def _remove_cgroup(self) -> None:
        if not self._head.cgroup:
            return
        with contextlib.suppress(OSError, HavreError):  # Runtime.remove tries again, and tells
            self._tools.cgroups.remove(self._head.cgroup)

    def _reap_strays(self) -> None:
        """Without a pid namespace of its own a container's orphans become ours to wait for."""
        sessions = [session for session in (self._first, *self._execs.values()) if session is not None]
        if any(session.being_born for session in sessions):
            return  # what has ended may be a process that its maker has not told of yet; there is a next time
        reap_strays(set().union(*(session.pids for session in sessions)))


def prepared(tools: Tools, reap: Callable[[int], int]) -> Cradle | None:
    """A child that waits for the launch that may come."""
    if not tools.spare_group or tools.empty < 0:
        return None
    place = Place(tools.cgroups, tools.proc, tools.spare_group, reap, tools.empty, _own(tools))
    return make_cradle(place)


def _request(wanted: Execute, *, bare: bool) -> ExecRequest:
    return replace(decode_exec_request(wanted.request), bare=bare)


def _own(tools: Tools) -> str:
    """The fail point that is not one of exec sessions."""
    return "" if tools.fail_at.startswith(_GUEST) else tools.fail_at


def join(
    streams: Streams,
    fd: int,
    wishes: AttachWishes,
    loop: Loop,
    ended: Callable[[bool], None],
    *,
    started: bool = True,
) -> None:
    """Make a client of the socket *fd*."""
    attachment = Attachment(dup_socket(fd), wishes, streams, loop, ended)
    streams.attach(attachment, started=started)


def _try_log(target: LogTarget) -> None:
    """The log is opened at the first word; that it can be opened is to be known before."""
    try:
        log = open_log(target)
    except KernelError as error:
        raise StartFailed(f"failed to initialize logging driver: {error}", before_runtime=True) from error
    if log is not None:
        log.close()
