"""The process between a shim and a foreign OCI runtime: prepares what the runtime expects, and runs its verbs.

It speaks to the shim as a child of our own does, and ends when the user's program runs. The root is mounted in a mount
namespace of this process, which the container's is a copy of: nothing of it is ever seen on the host.
"""

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from typing import NamedTuple, NoReturn

import msgspec
from msgspec.structs import replace

from havre.kernel.cgroups import Cgroups
from havre.kernel.channel import Channel
from havre.kernel.libc import KernelError
from havre.kernel.mounts import UMOUNT_DETACH, umount
from havre.kernel.namespaces import CLONE, unshare
from havre.kernel.pty import resize
from havre.oci.runtime_spec import Linux, Process, Resources, User
from havre.runtime.bundle import Bundle, ExecRequest
from havre.runtime.errors import StepFailed
from havre.runtime.foreign.config import config_of, whole
from havre.runtime.foreign.tool import Tool
from havre.runtime.init import finish, rootfs
from havre.runtime.init.progress import LAST, Progress
from havre.runtime.messages import Born, Console, encode

CONFIG, PROCESS, PID, CONSOLE = "config.json", "process.json", "pid", "console.sock"
_MASTER_S = 5
_UNIFIED = "/sys/fs/cgroup/unified"


class Errand(NamedTuple):
    """What the child is born with."""

    id: str
    tool: Tool
    stdio: finish.Pipes | finish.Terminal
    channel: Channel
    progress: Progress
    cgroups: Cgroups | None = None
    cgroup: str = ""


def become_creator(errand: Errand, bundle: Bundle) -> NoReturn:
    """Never returns: the container's program runs, or a word to the shim."""
    _become(errand, lambda: _create(errand, bundle))


def become_guide(errand: Errand, request: Callable[[], ExecRequest], pid: int) -> NoReturn:
    """Never returns: a further process runs in the container of *pid*, or a word to the shim."""
    _become(errand, lambda: _execute(errand, request(), pid))


def _become(errand: Errand, work: Callable[[], None]) -> NoReturn:
    report = finish.Report(errand.channel, errand.progress)
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        work()
        errand.progress.enter(LAST)
        os._exit(0)
    except BaseException as error:  # noqa: BLE001  the outermost loop of this process: all is told to the shim
        report.die_of(error)


def _create(errand: Errand, bundle: Bundle) -> None:
    spec, tool, enter = bundle.spec, errand.tool, errand.progress.enter
    if spec.process is None or spec.root is None:
        raise StepFailed("the configuration names no process or no root")
    enter("rootfs")
    unshare(CLONE.NEWNS)
    rootfs.separate(spec.linux.rootfs_propagation if spec.linux else "", spec.root.path)
    root_fd = rootfs.mount_root(spec.root.path, bundle.rootfs_mounts)
    enter("user")
    process = _identified(root_fd, spec.process, bundle.user, bundle.groups)
    if bundle.make_cwd:
        finish.make_cwd(root_fd, process.cwd)
    os.close(root_fd)
    _write(f"{tool.folder}/{CONFIG}", config_of(replace(spec, process=process)))
    if tool.leaves_cgroups:
        enter("cgroup")
        _enter_cgroup(errand.cgroups, spec.linux)
        _show_one_hierarchy()
    try:
        enter("runtime", "create")
        _let_be_born(errand, PID, ("create", "--bundle", tool.folder))
        enter("runtime", "start")
        tool.run("start", errand.id)
    except BaseException:
        with contextlib.suppress(StepFailed, OSError):
            tool.run("delete", "--force", errand.id)
        raise


def _execute(errand: Errand, request: ExecRequest, pid: int) -> None:
    enter = errand.progress.enter
    if errand.tool.leaves_cgroups and errand.cgroups is not None:
        enter("cgroup")
        errand.cgroups.join(errand.cgroup)
        unshare(CLONE.NEWNS)
        rootfs.separate("", "/")
        _show_one_hierarchy()
    enter("user")
    root_fd = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    process = _identified(root_fd, request.process, request.user, request.groups)
    os.close(root_fd)
    # Several sessions may begin at once: each has files of its own.
    file, number = f"{request.id}.{PROCESS}", f"{request.id}.{PID}"
    _write(f"{errand.tool.folder}/{file}", whole(process))
    try:
        enter("runtime", "exec")
        _let_be_born(errand, number, ("exec", "--detach", "--process", file))
    finally:
        for name in (file, number):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{errand.tool.folder}/{name}")  # noqa: PTH108  of this container's own folder


def _enter_cgroup(cgroups: Cgroups | None, linux: Linux | None) -> None:
    """Make and limit the container's cgroup and go there: what the runtime makes stays in it."""
    if cgroups is None or linux is None or not linux.cgroups_path:
        return
    cgroups.create(linux.cgroups_path)
    cgroups.apply(linux.cgroups_path, linux.resources or Resources())
    cgroups.join(linux.cgroups_path)


def _show_one_hierarchy() -> None:
    """A crun refuses hosts that have both kinds of cgroups with controllers, even when it is to leave them alone."""
    with contextlib.suppress(KernelError):
        umount(_UNIFIED, UMOUNT_DETACH)


def _let_be_born(errand: Errand, pid_file: str, words: "tuple[str, ...]") -> None:
    """Run the verb that makes a process, tell the shim of it and of its terminal, and wait until it has taken both."""
    tool, channel = errand.tool, errand.channel
    more = ("--pid-file", pid_file)
    if not isinstance(errand.stdio, finish.Terminal):
        tool.run(*words, *more, errand.id, stdio=errand.stdio)
    else:
        os.chdir(tool.folder)  # the whole path may be longer than sockaddr_un takes: unix(7)
        name = f"{pid_file}.{CONSOLE}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as listening:
            listening.bind(name)
            listening.listen(1)
            try:
                tool.run(*words, *more, "--console-socket", name, errand.id)
            finally:
                os.unlink(name)  # noqa: PTH108  in the folder that was entered above
            master = _receive_master(listening, errand.stdio)
        channel.send(encode(Console()), [master])
        os.close(master)
    with open(f"{tool.folder}/{pid_file}", "rb") as file:  # noqa: PTH123  of this container's own folder
        channel.send(encode(Born(int(file.read()))))
    channel.receive()


def _receive_master(listening: socket.socket, size: finish.Terminal) -> int:
    """The runtime has connected and sent by now, so that nothing here waits."""
    listening.settimeout(_MASTER_S)
    connection, _ = listening.accept()
    with connection:
        _, fds, _, _ = socket.recv_fds(connection, 4096, 1, socket.MSG_CMSG_CLOEXEC)
    if not fds:
        raise StepFailed("the runtime sent no terminal")
    if size.rows or size.columns:
        resize(fds[0], size.rows, size.columns)
    return fds[0]


def _identified(root_fd: int, process: Process, user: str, groups: "list[str]") -> Process:
    """*process* with its user by number, as a foreign runtime wants it."""
    found = finish.find_identity(root_fd, process, user, groups)
    env = [*(process.env or ())]
    if not any(entry.startswith("HOME=") for entry in env):
        env.append(f"HOME={found.home}")
    return replace(process, env=env, user=User(uid=found.uid, gid=found.gid, additional_gids=list(found.groups)))


def _write(path: str, value: object) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, msgspec.json.encode(value))
    finally:
        os.close(handle)
