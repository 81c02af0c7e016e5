"""The init of a container: from fresh namespaces to the user's program."""

import os
import socket
from typing import NamedTuple, NoReturn

from havre.kernel.cgroups import Cgroups, ContainerView
from havre.kernel.channel import Channel
from havre.kernel.inroot import make_folders_in_root
from havre.kernel.namespaces import CLONE, set_domainname, set_hostname, set_loopback_up, setns, unshare
from havre.kernel.process import set_parent_death_signal
from havre.kernel.procfs import Proc
from havre.oci.runtime_spec import Linux, Mount, Process, Spec
from havre.runtime import hooks
from havre.runtime.bundle import Bundle
from havre.runtime.errors import StepFailed
from havre.runtime.init import audit, devices, finish, mounts, rootfs
from havre.runtime.init.cgroup_view import mount_cgroups, open_views
from havre.runtime.init.privileges import Privileges, new_keyring, seccomp_flags, set_limits, set_oom_score
from havre.runtime.init.program import Program
from havre.runtime.init.progress import Progress
from havre.runtime.init.stage import MASKED, READONLY, Stage
from havre.runtime.init.sysctls import write_sysctls
from havre.runtime.messages import AwaitsHooks, Ready, encode

_SIGKILL = 9


class Newborn(NamedTuple):
    """What a child is born with. *joins* are namespaces to enter; *sources* the bind mounts opened by the parent.

    One that stands on a *stage* is in its cgroup already, and gets its *root* as a detached mount.
    """

    bundle: Bundle
    channel: Channel
    progress: Progress
    stdio: finish.Pipes | finish.Terminal
    cgroups: Cgroups | None
    proc: Proc
    joins: "list[tuple[int, int]]"
    made: int
    own: "frozenset[str]"
    sources: "dict[int, int]"
    program: bytes
    views: "list[tuple[ContainerView, int]] | None"
    go: socket.socket | None
    stage: Stage | None = None
    root: int = -1


def become(newborn: Newborn) -> NoReturn:
    """Never returns: the user's program, or a word to the parent and the end."""
    report = finish.Report(newborn.channel, newborn.progress)
    try:
        _Init(newborn, report).run()
    except BaseException as error:  # noqa: BLE001  the outermost loop of this process: all is told to the parent
        report.die_of(error)


class _Init:
    """The steps, in order. Each names itself to the parent first."""

    def __init__(self, newborn: Newborn, report: finish.Report) -> None:
        bundle = newborn.bundle
        spec: Spec = bundle.spec
        if spec.process is None or spec.root is None:
            raise StepFailed("config.json has no process or no root")
        self._newborn = newborn
        self._bundle = bundle
        self._spec = spec
        self._process: Process = spec.process
        self._root = spec.root
        self._linux: Linux = spec.linux or Linux()
        self._enter = newborn.progress.enter
        self._report = report
        self._in_userns = bool(newborn.made & CLONE.NEWUSER) or any(f == CLONE.NEWUSER for _, f in newborn.joins)
        self._joined_cgroup = False
        self._views = newborn.views

    def run(self) -> NoReturn:
        """From clone3 to execve."""
        self._namespaces()
        self._enter("rootfs")
        root_fd = self._mount_root()
        self._mount_all(root_fd)
        self._join_cgroup()
        stdio = self._stdio(root_fd)
        self._kernel_settings(root_fd)
        self._enter("user")
        identity = finish.find_identity(root_fd, self._process, self._bundle.user, self._bundle.groups)
        program = Program(self._process.args, self._process.env, identity.home)
        flags = seccomp_flags(self._linux.seccomp)
        privileges = Privileges(self._process, identity, self._newborn.program, flags)
        if self._bundle.make_cwd:
            finish.make_cwd(root_fd, self._process.cwd)
        self._hooks_before_pivot()
        self._enter("pivot")
        rootfs.pivot(root_fd)
        # Only now: pivot_root(2) refuses a root that is shared.
        rootfs.finish_root(root_fd, self._linux.rootfs_propagation, readonly=self._root.readonly)
        audit.arm(self._report.failed, [*program.candidates, *self._hook_programs()])
        self._enter("stdio")
        finish.place_stdio(stdio)
        finish.lead_session(terminal=isinstance(self._newborn.stdio, finish.Terminal))
        keep = [self._newborn.channel.fileno()]
        if self._newborn.go is not None:
            keep.append(self._newborn.go.fileno())
        finish.keep_only(keep, self._bundle.keep_fds)
        self._end(program, privileges, identity.uid)

    def _end(self, program: Program, privileges: Privileges, uid: int) -> NoReturn:
        self._enter("rlimits")
        set_limits(self._process.rlimits)
        finish.reset_process(self._process)
        self._enter("privileges")
        if self._newborn.go is None:
            privileges.filter_early()
            finish.become_user(self._process, privileges, uid)
        else:
            program.find()  # what is not there is told to who creates the container, not to who starts it
            self._wait_for_start(privileges, uid)
        path = program.find()
        privileges.filter_late()
        self._enter("exec")
        finish.run_program(program, path, self._report, self._bundle.keep_fds)

    def _wait_for_start(self, privileges: Privileges, uid: int) -> None:
        """Say that all is set up, and stop until somebody connects."""
        self._newborn.channel.send(encode(Ready()))
        connection = finish.await_go(self._newborn.go)
        if connection is not None:
            self._report.channel = connection
        self._run_hooks("start_container")
        privileges.filter_early()
        finish.become_user(self._process, privileges, uid)

    def _namespaces(self) -> None:
        self._enter("namespaces")
        set_parent_death_signal(_SIGKILL)
        for fd, flag in self._newborn.joins:
            setns(fd, flag)
        if self._in_userns:
            self._enter("ids")
            self._newborn.channel.receive()
            self._joined_cgroup = True
            os.setgroups(())
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
            set_parent_death_signal(_SIGKILL)  # a change of ids takes it back: prctl(2)
        if self._newborn.made & CLONE.NEWNET:
            set_loopback_up()
        if self._spec.hostname:
            set_hostname(self._spec.hostname)
        if self._spec.domainname:
            set_domainname(self._spec.domainname)

    def _mount_root(self) -> int:
        if (stage := self._newborn.stage) is not None:
            return stage.begin(self._newborn.root, self._spec.mounts or [])
        rootfs.separate(self._linux.rootfs_propagation, self._root.path)
        if self._bundle.on_ramdisk:
            rootfs.leave_ramdisk()
        return rootfs.mount_root(self._root.path, [] if self._in_userns else self._bundle.rootfs_mounts)

    def _mount_all(self, root_fd: int) -> None:
        has_dev = False
        stage = self._newborn.stage
        for number, entry in enumerate(self._spec.mounts or ()):
            self._enter("mount", entry.destination)
            if stage is not None and stage.place(root_fd, entry):
                has_dev |= entry.destination == "/dev"
                continue
            if entry.type in {"cgroup", "cgroup2"}:
                self._join_cgroup()
                self._mount_cgroups(root_fd, entry)
                continue
            mounts.mount_entry(root_fd, entry, self._newborn.sources.get(number))
            if entry.destination.rstrip("/") == "/dev":
                has_dev = True
                if entry.type == "tmpfs":
                    self._fill_dev(root_fd)
        if not has_dev:
            self._fill_dev(root_fd)
        if self._linux.devices:
            self._enter("devices")
            devices.make_devices(root_fd, self._linux.devices, by_bind=self._in_userns)

    def _fill_dev(self, root_fd: int) -> None:
        self._enter("devices")
        dev = make_folders_in_root(root_fd, "/dev", 0o755)
        try:
            devices.fill_dev(dev, self._linux.devices or [], by_bind=self._in_userns)
        finally:
            os.close(dev)

    def _mount_cgroups(self, root_fd: int, entry: Mount) -> None:
        if self._newborn.cgroups is None:
            return
        if self._views is None:
            self._views = open_views(self._newborn.cgroups, self._linux.cgroups_path)
        mount_cgroups(root_fd, entry, self._views)

    def _join_cgroup(self) -> None:
        """Wait until the parent has made and limited the group, then go in; only then is it a namespace's root."""
        if not self._joined_cgroup:
            self._joined_cgroup = True
            self._enter("cgroup")
            self._newborn.channel.receive()
            if self._newborn.cgroups is not None:
                self._newborn.cgroups.join(self._linux.cgroups_path, cloned=True)
        if self._newborn.made & CLONE.NEWCGROUP:
            self._newborn = self._newborn._replace(made=self._newborn.made & ~CLONE.NEWCGROUP)
            unshare(CLONE.NEWCGROUP)

    def _stdio(self, root_fd: int) -> finish.Pipes:
        wanted = self._newborn.stdio
        if not isinstance(wanted, finish.Terminal):
            return finish.own_null(root_fd, wanted, self._newborn.proc)
        self._enter("console")
        return finish.make_terminal(root_fd, wanted, self._newborn.channel, console=True)

    def _kernel_settings(self, root_fd: int) -> None:
        proc = self._newborn.proc
        if self._linux.sysctl:
            self._enter("sysctl")
            write_sysctls(proc, self._linux.sysctl, self._newborn.own)
        if self._process.oom_score_adj is not None and not self._in_userns:
            set_oom_score(proc.write_own, self._process.oom_score_adj)
        if self._process.apparmor_profile:
            proc.write_own("attr/apparmor/exec", f"exec {self._process.apparmor_profile}".encode())
        if self._process.selinux_label:
            proc.write_own("attr/exec", self._process.selinux_label.encode())
        if not self._bundle.keep_keyring:
            new_keyring(self._bundle.id)
        self._enter("mask")
        readonly, masked = self._linux.readonly_paths or [], self._linux.masked_paths or []
        if self._newborn.stage is not None:
            readonly = [path for path in readonly if path not in READONLY]
            masked = [path for path in masked if path not in MASKED]
        mounts.protect_paths(root_fd, readonly)
        if masked:
            null = mounts.own_null(root_fd)
            mounts.mask_paths(root_fd, masked, null)
            os.close(null)

    def _hooks_before_pivot(self) -> None:
        given = self._spec.hooks
        if given is None:
            return
        self._enter("hooks")
        if given.prestart or given.create_runtime:
            self._newborn.channel.send(encode(AwaitsHooks()))
            self._newborn.channel.receive()
        self._run_hooks("create_container")

    def _hook_programs(self) -> "list[bytes]":
        return [os.fsencode(hook.path) for hook in (self._spec.hooks and self._spec.hooks.start_container) or ()]

    def _run_hooks(self, point: str) -> None:
        given = self._spec.hooks
        wanted = getattr(given, point) if given else None
        if wanted:
            state = hooks.state(self._spec, self._bundle.id, "creating", os.getpid(), self._bundle.run_dir)
            hooks.run_all(wanted, point, state)
