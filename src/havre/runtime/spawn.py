"""The parent's side of a birth: cgroup, clone3, the conversation with the child. Used by the shim and the OCI CLI."""

import contextlib
import errno
import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple

from havre.base.errors import HavreError
from havre.kernel.cgroups import Cgroups
from havre.kernel.cgroups.control import checked_path
from havre.kernel.channel import Channel, ChannelClosed
from havre.kernel.namespaces import BY_NAME, CLONE, clone3, setns, unshare
from havre.kernel.process import pidfd_open, pidfd_send_signal
from havre.kernel.procfs import Proc
from havre.kernel.seccomp import compile_filter
from havre.oci.runtime_spec import IDMapping, Linux, Seccomp, Spec
from havre.runtime import hooks
from havre.runtime.bundle import Bundle, ExecRequest
from havre.runtime.errors import StartFailed, StepFailed
from havre.runtime.init import enter, main, rootfs
from havre.runtime.init.cgroup_view import open_views
from havre.runtime.init.enter import Host
from havre.runtime.init.finish import Pipes, Terminal
from havre.runtime.init.mount_options import parse_options
from havre.runtime.init.mounts import detached_source, told
from havre.runtime.init.progress import LAST, Progress
from havre.runtime.init.sysctls import own_namespaces
from havre.runtime.messages import AwaitsHooks, Born, Console, Failed, GoOn, Ready, decode_from_init, encode

CREATE_FAILED = "OCI runtime create failed: unable to start container process: "
EXEC_FAILED = "OCI runtime exec failed: exec failed: unable to start container process: "

__all__ = [
    "CREATE_FAILED",
    "EXEC_FAILED",
    "Birth",
    "Host",
    "Order",
    "Pipes",
    "Terminal",
    "joined_flags",
    "spawn",
    "spawn_guest",
    "text_of",
]


class Order(NamedTuple):
    """A container to bear. *cgroups* None leaves it where its parent is.

    With *reap* the child becomes one of the caller's own parent, which waits for it when that is called.
    With *go*, a listening socket, the child stops before execve, tells that it is ready, and goes on when
    somebody connects; what then fails is told to that one as a Failed message.
    """

    bundle: Bundle
    stdio: Pipes | Terminal
    cgroups: Cgroups | None
    proc: Proc
    progress: Progress
    go: socket.socket | None = None
    reap: Callable[[int], int] | None = None


class Birth:
    """A child on its way to execve. Poll `fileno()`, call `step()` until it says True; then look at `failure`.

    The parent owns *pidfd* and, once sent, *console* (the master of the terminal; -1 without).
    A child may be a mere maker: the process that it tells of becomes *pid*, and `reap_maker` is due.
    """

    def __init__(self, pid: int, pidfd: int, channel: Channel, progress: Progress, failing: str) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.console = -1
        self.reap: Callable[[int], int] = _reap
        self.ready = False
        self.failure: StartFailed | None = None
        self.failed_step = ""
        self.outside_hooks: Callable[[], None] | None = None
        self.maker = 0
        self.wants_steps = False
        self.steps: list[tuple[str, int]] = []
        self._channel = channel
        self._progress = progress
        self._failing = failing

    def fileno(self) -> int:
        """The descriptor to poll for reading."""
        return self._channel.fileno()

    def step(self) -> bool:
        """Take one message of the child; True when it runs, waits for its start, or has failed."""
        try:
            data, fds = self._channel.receive()
        except ChannelClosed:
            self._decide()
            return True
        message = decode_from_init(data)
        match message:
            case Console():
                self.console = fds[0]
            case Born(pid, runs):
                self._take_over(pid)
                return runs
            case AwaitsHooks():
                self._run_outside_hooks()
            case Ready():
                self.ready = True
                return True
            case Failed(step, text, code, before_runtime):
                self.failed_step = step
                whole = text if before_runtime else self._failing + text
                self.failure = StartFailed(whole, code, before_runtime=before_runtime)
                return True
        return False

    def tell(self) -> None:
        """Send the child the word to go on; that it died meanwhile is for `step` to tell."""
        with contextlib.suppress(ChannelClosed):
            self._channel.send(encode(GoOn()))

    def fail(self, error: Exception) -> None:
        """Say why the child will not live; `bury` ends it."""
        self.failure = StartFailed(self._failing + text_of(error))

    def where(self) -> str:
        """The step that the child is at, for messages."""
        step, detail, _ = self._progress.read()
        return f"{step} {detail}".strip()

    def step_since_ns(self) -> int:
        """When the child began its present step, on the monotonic clock; 0 before the first."""
        return self._progress.read()[2]

    def close(self) -> None:
        """Give back what the conversation took; the child lives on."""
        self._channel.close()
        if self.wants_steps:
            self.steps = self._progress.history()
        self._progress.close()

    def reap_maker(self) -> None:
        """Wait for the maker, which ends at once: only then is *pid* our child."""
        if self.maker:
            _reap(self.maker)
            self.maker = 0

    def bury(self) -> None:
        """Kill the child, wait for it, and give back everything."""
        with contextlib.suppress(OSError):  # it has ended by itself
            pidfd_send_signal(self.pidfd, signal.SIGKILL)
        self.close()
        self.reap_maker()
        with contextlib.suppress(ChildProcessError):  # whoever inherited it has waited for it
            self.reap(self.pid)
        for fd in (self.pidfd, self.console):
            if fd >= 0:
                os.close(fd)
        self.pidfd = self.console = -1

    def _take_over(self, pid: int) -> None:
        """The maker of *pid* is about to end, and *pid* to become our child: nobody else can wait for it before."""
        self.maker, self.pid = self.pid, pid
        os.close(self.pidfd)
        self.pidfd = -1
        self.pidfd = pidfd_open(pid)

    def _decide(self) -> None:
        """The channel is closed: execve did that, or death."""
        step, detail, _ = self._progress.read()
        if step != LAST and self.failure is None:
            at = f"{step} {detail}".strip() or "the beginning"
            self.failed_step = step
            self.failure = StartFailed(f"{self._failing}the child died without a word at step: {at}")

    def _run_outside_hooks(self) -> None:
        try:
            if self.outside_hooks is not None:
                self.outside_hooks()
        except (StepFailed, OSError) as error:
            self.fail(error)
            pidfd_send_signal(self.pidfd, signal.SIGKILL)
            return
        self.tell()


def text_of(error: Exception) -> str:
    """The words of *error* for a user."""
    if isinstance(error, StepFailed):
        return error.text
    return told(error) if isinstance(error, OSError) else str(error)


def _reap(pid: int) -> int:
    return os.waitpid(pid, 0)[1]


def spawn(order: Order) -> Birth:
    """Make the cgroup and the child. Raises StartFailed, and then nothing is left."""
    bundle = order.bundle
    linux = bundle.spec.linux or Linux()
    with ExitStack() as undo:
        try:
            return _spawn(order, linux, undo)
        except (StepFailed, OSError, HavreError) as error:
            undo.close()
            if isinstance(error, StartFailed):
                raise
            raise StartFailed(CREATE_FAILED + text_of(error)) from error
        except BaseException:
            undo.close()
            raise


def _spawn(order: Order, linux: Linux, undo: ExitStack) -> Birth:
    path = linux.cgroups_path
    cgroups = order.cgroups if path else None
    with ExitStack() as handles:  # what only the child needs: it has its own copies
        made, joins = _namespaces(linux, handles)
        group_fd = None
        if cgroups is not None:
            undo.callback(_quietly, cgroups.remove, path)
            group_fd = _birthplace(cgroups, path, early=bool(made & CLONE.NEWUSER))
            if group_fd is not None:
                handles.callback(os.close, group_fd)
        ours, theirs = Channel.pair()
        handles.callback(theirs.close)
        undo.callback(ours.close)
        newborn = _newborn(order, linux, (made, joins), theirs, handles)
        flags = made & ~int(CLONE.NEWCGROUP) | (int(CLONE.PARENT) if order.reap else 0)
        pid, pidfd = _clone(flags, group_fd, joins)
        if pid == 0:
            main.become(newborn)
        birth = Birth(pid, pidfd, ours, order.progress, CREATE_FAILED)
        if order.reap is not None:
            birth.reap = order.reap
        undo.callback(birth.bury)
    birth.outside_hooks = _outside_hooks(order.bundle, pid)
    _settle(order, linux, birth, cgroups)
    undo.pop_all()
    return birth


def _birthplace(cgroups: Cgroups, path: str, *, early: bool) -> int | None:
    """A handle for CLONE_INTO_CGROUP. On v1 the rest of the group is made while the child mounts, unless *early*."""
    unified = cgroups.trees.unified
    if cgroups.version == 1 and not early:
        if unified is None:
            return None
        unified.make(checked_path(path))
    else:
        cgroups.create(path)
    return cgroups.clone_fd(path)


def _newborn(
    order: Order, linux: Linux, namespaces: "tuple[int, list[tuple[int, int]]]", channel: Channel, handles: ExitStack
) -> main.Newborn:
    bundle, (made, joins) = order.bundle, namespaces
    cgroups = order.cgroups if linux.cgroups_path else None
    sources: dict[int, int] = {}
    views = None
    if made & CLONE.NEWUSER:
        sources = _prepare_for_userns(bundle, handles)
        if cgroups is not None:
            views = open_views(cgroups, linux.cgroups_path)
            for _, fd in views:
                if fd >= 0:
                    handles.callback(os.close, fd)
    return main.Newborn(
        bundle=bundle,
        channel=channel,
        progress=order.progress,
        stdio=order.stdio,
        cgroups=cgroups,
        proc=order.proc,
        joins=[(fd, flag) for fd, flag in joins if flag != CLONE.NEWPID],
        made=made,
        own=own_namespaces([(entry.type, entry.path) for entry in linux.namespaces or ()]),
        sources=sources,
        program=bundle.seccomp_program or _compiled(linux.seccomp),
        views=views,
        go=order.go,
    )


def _settle(order: Order, linux: Linux, birth: Birth, cgroups: Cgroups | None) -> None:
    """What only the parent may do for the child: limits, id maps."""
    path, process = linux.cgroups_path, order.bundle.spec.process
    if cgroups is not None:
        if cgroups.version == 1 and not linux.uid_mappings:
            cgroups.create(path)
        if linux.resources is not None:
            cgroups.apply(path, linux.resources)
    if linux.uid_mappings or linux.gid_mappings:
        if cgroups is not None:
            cgroups.join(path, birth.pid)
        order.proc.write(f"{birth.pid}/uid_map", _map(linux.uid_mappings))
        order.proc.write(f"{birth.pid}/gid_map", _map(linux.gid_mappings))
        if process is not None and process.oom_score_adj is not None:
            order.proc.set_oom_score_adj(process.oom_score_adj, birth.pid)
    birth.tell()


def _namespaces(linux: Linux, handles: ExitStack) -> "tuple[int, list[tuple[int, int]]]":
    """(flags of those to make, handles on those to join)."""
    made, joins = 0, []
    for entry in linux.namespaces or ():
        flag = BY_NAME.get(entry.type)
        if flag is None:
            raise StepFailed(f"namespace type {entry.type!r} is not known")
        if not entry.path:
            made |= int(flag)
            continue
        if flag in {CLONE.NEWUSER, CLONE.NEWNS}:
            raise StepFailed(f"joining a {entry.type} namespace by path is not supported")
        handle = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC)
        handles.callback(os.close, handle)
        joins.append((handle, int(flag)))
    if not made & CLONE.NEWNS:
        raise StepFailed("a mount namespace of its own is needed")
    if made & CLONE.NEWUSER and not (linux.uid_mappings and linux.gid_mappings):
        raise StepFailed("a user namespace needs uidMappings and gidMappings")
    return made, joins


def _clone(flags: int, group_fd: int | None, joins: "list[tuple[int, int]]") -> tuple[int, int]:
    """clone3(2); a pid namespace is joined by whoever is born, so this process goes there and comes back."""
    for fd, flag in joins:
        if flag == CLONE.NEWPID:
            home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
            try:
                setns(fd, flag)
                pid, pidfd = clone3(flags | CLONE.CLEAR_SIGHAND, group_fd)
                if pid:
                    setns(home, flag)
                return pid, pidfd
            finally:
                os.close(home)
    return clone3(flags | CLONE.CLEAR_SIGHAND, group_fd)


def _prepare_for_userns(bundle: Bundle, handles: ExitStack) -> "dict[int, int]":
    """What root of a user namespace may not do, done here: the root's mounts, handles on the sources of binds."""
    root = bundle.spec.root
    if bundle.rootfs_mounts and root is not None:
        unshare(CLONE.NEWNS)
        rootfs.separate("", root.path)
        os.close(rootfs.mount_root(root.path, bundle.rootfs_mounts))
    sources: dict[int, int] = {}
    for number, entry in enumerate(bundle.spec.mounts or ()):
        options = parse_options(entry.options, kind=entry.type)
        if options.bind:
            try:
                sources[number] = detached_source(entry.source, options)
                handles.callback(os.close, sources[number])
            except OSError as error:
                where = entry.destination
                raise StepFailed(f'error mounting "{entry.source}" to rootfs at "{where}": {told(error)}') from error
    return sources


def _outside_hooks(bundle: Bundle, pid: int) -> Callable[[], None] | None:
    given = bundle.spec.hooks
    if given is None or not (given.prestart or given.create_runtime):
        return None

    def run() -> None:
        state = hooks.state(bundle.spec, bundle.id, "creating", pid, bundle.run_dir)
        hooks.run_all(given.prestart or [], "prestart", state)
        hooks.run_all(given.create_runtime or [], "createRuntime", state)

    return run


def joined_flags(spec: Spec) -> int:
    """The CLONE flags of the namespaces in which a container differs from its parent, for setns(2)."""
    flags = 0
    for entry in (spec.linux.namespaces if spec.linux else None) or ():
        flags |= int(BY_NAME.get(entry.type, 0))
    return flags


def spawn_guest(
    request: Callable[[], ExecRequest], stdio: Pipes | Terminal, host: Host, group_fd: int | None, progress: Progress
) -> Birth:
    """Make a child that joins a running container; it asks for the *request* itself. Raises StartFailed."""
    ours, theirs = Channel.pair()
    try:
        pid, pidfd = _clone_guest(host, group_fd)
    except OSError as error:
        ours.close()
        theirs.close()
        raise StartFailed(EXEC_FAILED + told(error)) from error
    if pid == 0:
        enter.become(enter.Entry(request, theirs, progress, stdio, host))
    theirs.close()
    return Birth(pid, pidfd, ours, progress, EXEC_FAILED)


def _clone_guest(host: Host, group_fd: int | None) -> tuple[int, int]:
    """Born in the group of *group_fd*, or where the container's init is once it hands controllers down (v2)."""
    try:
        return clone3(CLONE.CLEAR_SIGHAND, group_fd)
    except OSError as error:
        if error.errno != errno.EBUSY or group_fd is None or host.cgroups is None:
            raise
    below = host.cgroups.clone_fd(host.cgroup, host.pid)
    try:
        return clone3(CLONE.CLEAR_SIGHAND, below)
    finally:
        if below is not None:
            os.close(below)


def _compiled(seccomp: Seccomp | None) -> bytes:
    return compile_filter(seccomp) if seccomp is not None else b""


def _map(mappings: "list[IDMapping] | None") -> bytes:
    return "".join(f"{m.container_id} {m.host_id} {m.size}\n" for m in mappings or ()).encode()


def _quietly(act: Callable[[str], None], path: str) -> None:
    with contextlib.suppress(OSError, HavreError):  # it is an undo: the first error is the one to tell
        act(path)
