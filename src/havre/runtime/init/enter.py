"""A further process for a running container: joined from outside, into the pid namespace last of all (rule 7)."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from msgspec.structs import replace

from havre.kernel.cgroups import Cgroups, open_doors, walk_in
from havre.kernel.channel import Channel
from havre.kernel.namespaces import CLONE, fork_bare, setns
from havre.kernel.process import set_parent_death_signal
from havre.kernel.procfs import Proc
from havre.runtime.bundle import ExecRequest
from havre.runtime.errors import StepFailed
from havre.runtime.init import audit, finish
from havre.runtime.init.privileges import Privileges, set_limits, set_oom_score
from havre.runtime.init.program import Program
from havre.runtime.init.progress import Progress
from havre.runtime.init.rehearsal import rehearse
from havre.runtime.messages import Born, decode_enter, decode_exec_request, encode

_SIGKILL = 9


class Host(NamedTuple):
    """A running container, as one who enters needs it: its init, its namespaces, its cgroup."""

    pid: int
    pidfd: int
    joins: int
    cgroups: Cgroups | None
    cgroup: str
    proc: Proc


class Entry(NamedTuple):
    """What the child is born with. It calls *request* for the rest of what it needs; *doors* lead into the cgroup.

    A request that is *bare* leaves the dropping of privileges to after the last fork.
    """

    request: "Callable[[], ExecRequest]"
    channel: Channel
    progress: Progress
    stdio: finish.Pipes | finish.Terminal
    host: Host
    doors: Sequence[int] = ()


def wait(channel: Channel, progress: Progress, host: Host) -> NoReturn:
    """Never returns: as `become`, once the request has come."""
    try:
        set_parent_death_signal(_SIGKILL)
        data, _ = channel.receive()
        rehearse(_request(data).process, host.proc)
        doors = open_doors(host.cgroups, host.cgroup) if host.cgroups is not None and host.cgroup else ()
        data, fds = channel.receive()
    except BaseException:  # noqa: BLE001  the session finds nobody, and is born in the ordinary way
        os._exit(0)
    try:
        request = _request(data)
        size = finish.Terminal(request.stdio.console_height, request.stdio.console_width)
        stdio = size if request.stdio.terminal else (fds[0], fds[1], fds[2])
    except BaseException as error:  # noqa: BLE001  the outermost loop of this process: all is told to the parent
        finish.Report(channel, progress).die_of(error)
    become(Entry(lambda: request, channel, progress, stdio, host, doors))


def _request(data: bytes) -> ExecRequest:
    order = decode_enter(data)
    return replace(decode_exec_request(order.request), bare=order.bare)


def become(entry: Entry) -> NoReturn:
    """Never returns: the user's program, or a word to the parent and the end."""
    report = finish.Report(entry.channel, entry.progress)
    try:
        set_parent_death_signal(_SIGKILL)
        _Guest(entry, report).run()
    except BaseException as error:  # noqa: BLE001  the outermost loop of this process: all is told to the parent
        report.die_of(error)


class _Guest:
    """The steps, in order. Until the last fork nobody inside can see this process."""

    def __init__(self, entry: Entry, report: finish.Report) -> None:
        self._entry = entry
        self._request = entry.request()
        self._process = self._request.process
        self._report = report
        self._enter = entry.progress.enter
        self._terminal = isinstance(entry.stdio, finish.Terminal)

    def run(self) -> NoReturn:
        """From fork to execve."""
        request, process, host = self._request, self._process, self._entry.host
        self._enter("cgroup")
        self._join_cgroup()
        self._host_settings()
        self._enter("namespaces")
        setns(host.pidfd, host.joins)
        if host.joins & CLONE.NEWUSER:
            os.setgroups(())
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
            set_parent_death_signal(_SIGKILL)
        self._enter("user")
        root_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        identity = finish.find_identity(root_fd, process, request.user, request.groups)
        program = Program(process.args, process.env, identity.home)
        privileges = Privileges(process, identity, request.seccomp_program, request.seccomp_flags)
        if request.make_cwd:
            finish.make_cwd(root_fd, process.cwd)
        finish.place_stdio(self._stdio(root_fd))
        audit.arm(self._report.failed, program.candidates)
        finish.keep_only([self._entry.channel.fileno()], request.keep_fds)
        self._enter("rlimits")
        set_limits(process.rlimits)
        finish.reset_process(process)
        if request.bare:
            self._fork(terminal=self._terminal)
            self._drop(privileges, identity.uid)
        else:
            self._drop(privileges, identity.uid)
            if not (self._terminal or privileges.filters_late):
                self._spawn(program)
            self._fork(terminal=self._terminal)
        path = program.find()
        privileges.filter_late()
        self._enter("exec")
        finish.run_program(program, path, self._report, request.keep_fds)

    def _join_cgroup(self) -> None:
        host, wanted = self._entry.host, self._request.cgroup
        if host.cgroups is None or not (wanted or host.cgroup):
            return
        if wanted and wanted != host.cgroup:
            host.cgroups.join(wanted)
        elif self._entry.doors:
            walk_in(self._entry.doors)
        else:
            host.cgroups.join(host.cgroup, cloned=True)

    def _host_settings(self) -> None:
        process, proc = self._process, self._entry.host.proc
        if process.oom_score_adj is not None:
            set_oom_score(proc.write_own, process.oom_score_adj)
        if process.apparmor_profile:
            proc.write_own("attr/apparmor/exec", f"exec {process.apparmor_profile}".encode())
        if process.selinux_label:
            proc.write_own("attr/exec", process.selinux_label.encode())

    def _stdio(self, root_fd: int) -> finish.Pipes:
        wanted = self._entry.stdio
        if not isinstance(wanted, finish.Terminal):
            return finish.own_null(root_fd, wanted, self._entry.host.proc)
        self._enter("console")
        return finish.make_terminal(root_fd, wanted, self._entry.channel, console=False)

    def _drop(self, privileges: Privileges, uid: int) -> None:
        self._enter("privileges")
        privileges.filter_early()
        finish.become_user(self._process, privileges, uid)

    def _spawn(self, program: Program) -> None:
        """Make the program without a copy of this process: two thousand pages less to copy, and to tear down at execve.

        Returns when that cannot be. Then a fork is tried, which finds out why: what a path like /proc/self/exe leads
        to is known in the joined pid namespace alone, and an error of posix_spawn(3) may be one of fork or of execve.
        """
        self._enter("fork")
        try:
            pid = program.spawn(program.find(), self._request.keep_fds)
        except (StepFailed, OSError):
            return
        self._report.channel.send(encode(Born(pid, runs=True)))
        os._exit(0)

    def _fork(self, *, terminal: bool) -> None:
        """Go on as a child, which alone is in the joined pid namespace; the parent tells its number and ends."""
        self._enter("fork")
        try:
            pid = fork_bare()
        except OSError as error:
            raise StepFailed(f"fork: {os.strerror(error.errno or 0)}") from error
        if pid:
            self._report.channel.send(encode(Born(pid)))
            os._exit(0)
        finish.lead_session(terminal=terminal)
