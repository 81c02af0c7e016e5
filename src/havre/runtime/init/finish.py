"""The common end of a container's init and of an exec session: from the root to the program."""

import contextlib
import os
import signal
import socket
import stat
from typing import NamedTuple, NoReturn

from havre.base.errors import HavreError
from havre.kernel.channel import Channel, ChannelClosed
from havre.kernel.inroot import make_folders_in_root, read_in_root
from havre.kernel.libc import KernelError
from havre.kernel.process import close_range, mark_close_on_exec, set_parent_death_signal
from havre.kernel.procfs import Proc
from havre.kernel.pty import make_controlling, resize
from havre.oci.runtime_spec import Process
from havre.runtime.errors import BadUser, StepFailed, exit_code_of, strerror
from havre.runtime.init.devices import bind_console, open_console
from havre.runtime.init.mounts import own_null as own_null_node
from havre.runtime.init.mounts import told
from havre.runtime.init.privileges import Privileges, give_stdio
from havre.runtime.init.program import Program
from havre.runtime.init.progress import Progress
from havre.runtime.init.users import FILE_LIMIT, Identity, home_of, identify
from havre.runtime.messages import Console, Failed, encode

_UMASK = 0o022
_NULL = os.makedev(1, 3)
_CANNOT_RUN = 255
_FIRST = 3

Pipes = tuple[int, int, int]
"""Descriptors that become 0, 1 and 2 of the program."""


class Terminal(NamedTuple):
    """The size of a terminal that is to be made; zeros leave the kernel's."""

    rows: int = 0
    columns: int = 0


class Report:
    """How a child tells its parent that it failed."""

    def __init__(self, channel: Channel, progress: Progress) -> None:
        self.channel = channel
        self._progress = progress

    def failed(self, text: str, exit_code: int = 128, *, before_runtime: bool = False) -> None:
        """Send the word; nobody may be there any more to hear it."""
        step, _, _ = self._progress.read()
        with contextlib.suppress(OSError, ChannelClosed):
            self.channel.send(encode(Failed(step, text, exit_code, before_runtime)))

    def die_of(self, error: BaseException) -> NoReturn:
        """Tell of *error* and end."""
        if isinstance(error, StepFailed):
            self.failed(error.text, error.exit_code, before_runtime=error.before_runtime)
        elif isinstance(error, BadUser):
            self.failed(error.message, before_runtime=True)
        elif isinstance(error, OSError):
            self.failed(f"error during container init: {told(error)}")
        elif isinstance(error, HavreError):
            self.failed(f"error during container init: {error.message}")
        else:
            self.failed(f"error during container init: {error!r}")
        os._exit(1)


def find_identity(root_fd: int, process: Process, user: str, groups: "list[str]") -> Identity:
    """Who the process is, by the files in *root_fd* where *user* or *groups* ask for it."""
    passwd = _account_file(root_fd, "/etc/passwd")
    if user or groups:
        return identify(user, groups, passwd, _account_file(root_fd, "/etc/group"))
    given = process.user
    return Identity(given.uid, given.gid, tuple(given.additional_gids or ()), home_of(given.uid, passwd))


def _account_file(root_fd: int, path: str) -> bytes:
    """The content; nothing when it is absent, or something that must not be read."""
    try:
        return read_in_root(root_fd, path, FILE_LIMIT)
    except KernelError:
        return b""


def make_cwd(root_fd: int, cwd: str) -> None:
    """Make the working folder where it is missing."""
    try:
        os.close(make_folders_in_root(root_fd, cwd, 0o755))
    except KernelError as error:
        raise StepFailed(
            f'mkdir to cwd ("{cwd}") set in config.json failed: {told(error)}', exit_code_of(error.errno or 0)
        ) from error


def make_terminal(root_fd: int, size: Terminal, channel: Channel, *, console: bool) -> Pipes:
    """A terminal of the container's own, its master sent to the parent, its peer for all three descriptors."""
    master, peer = open_console(root_fd)
    if size.rows or size.columns:
        resize(master, size.rows, size.columns)
    if console:
        bind_console(root_fd, peer)
    channel.send(encode(Console()), [master])
    os.close(master)
    return peer, peer, peer


def own_null(root_fd: int, pipes: Pipes, proc: Proc) -> Pipes:
    """*pipes* with the container's own /dev/null in place of the host's, whose owner and mode it could change."""
    hosts = [_is_null(fd) for fd in pipes]
    if not any(hosts):
        return pipes
    handle = own_null_node(root_fd)
    try:
        null = os.open(f"self/fd/{handle}", os.O_RDWR | os.O_CLOEXEC, dir_fd=proc.fd)  # our own /proc, not theirs
    finally:
        os.close(handle)
    stdin, stdout, stderr = (null if is_hosts else fd for is_hosts, fd in zip(hosts, pipes, strict=True))
    return stdin, stdout, stderr


def _is_null(fd: int) -> bool:
    status = os.fstat(fd)
    return status.st_rdev == _NULL and stat.S_ISCHR(status.st_mode)


def place_stdio(pipes: Pipes) -> None:
    """Make *pipes* the descriptors 0, 1 and 2."""
    for number, fd in enumerate(pipes):
        if fd == number:
            os.set_inheritable(fd, True)
        else:
            os.dup2(fd, number, inheritable=True)


def lead_session(*, terminal: bool) -> None:
    """Begin a session of one's own, with 0 as its controlling terminal."""
    os.setsid()
    if terminal:
        make_controlling(0)


def keep_only(fds: "list[int]", kept: int = 0) -> None:
    """Close everything but 0, 1, 2, the *kept* that follow, and *fds*: no path like /proc/self/fd/N leads out."""
    first = _FIRST + kept
    for fd in sorted(fds):
        if fd > first:
            close_range(first, fd - 1)
        first = fd + 1
    close_range(first)


def reset_process(process: Process) -> None:
    """Signals, death signal and umask as a fresh program expects them."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.umask(_UMASK if process.user.umask is None else process.user.umask)
    set_parent_death_signal(0)


def become_user(process: Process, privileges: Privileges, uid: int) -> None:
    """Drop privileges and go to the working folder, which either root or the user may reach."""
    give_stdio(uid)
    reachable = _try_cwd(process.cwd)
    privileges.drop()
    if not reachable:
        try:
            os.chdir(process.cwd)
        except OSError as error:
            raise StepFailed(
                f'chdir to cwd ("{process.cwd}") set in config.json failed: {strerror(error.errno or 0)}',
                exit_code_of(error.errno or 0),
            ) from error
    _check_cwd(process.cwd)


def _try_cwd(cwd: str) -> bool:
    try:
        os.chdir(cwd)
    except OSError:
        return False
    return True


def _check_cwd(cwd: str) -> None:
    """getcwd(3) fails, or begins otherwise than with a slash, outside the root (CVE-2024-21626)."""
    try:
        inside = os.getcwd().startswith("/")  # noqa: PTH109  no pathlib in the launcher
    except OSError:
        inside = False
    if not inside:
        raise StepFailed(
            f'the working directory "{cwd}" is outside of the container\'s root: possible breakout attempt'
        )


def run_program(program: Program, path: bytes, report: Report, kept: int = 0) -> NoReturn:
    """execve(2) with nothing open but 0, 1, 2 and the *kept* that follow."""
    mark_close_on_exec(_FIRST + kept)
    try:
        program.execute(path)
    except StepFailed as error:
        if not error.text.endswith("exec format error"):
            report.die_of(error)
        # As the reference: the container has started, and its program cannot run.
        os.write(2, error.text.encode() + b"\n")
    os._exit(_CANNOT_RUN)


def await_go(go: socket.socket | None) -> Channel | None:
    """Wait until someone connects to *go*, and talk to that one from now on."""
    if go is None:
        return None
    connection, _ = go.accept()
    return Channel(connection)
