"""cgroup v2: one hierarchy, controllers switched on from the top down, devices guarded by a program."""

import errno
import os

from havre.kernel.cgroups import readings
from havre.kernel.cgroups.contract import (
    CgroupBusy,
    CgroupStats,
    ContainerView,
    Present,
    Write,
)
from havre.kernel.cgroups.device_program import attach
from havre.kernel.cgroups.hierarchy import Hierarchy, wait_until
from havre.kernel.cgroups.plan_v2 import plan_v2
from havre.kernel.cgroups.writes import normal_rules
from havre.kernel.libc import KernelError
from havre.oci.runtime_spec import DeviceRule, Resources

_FREEZE_WITHIN_S = 5.0


class V2:
    """The Dialect of cgroup v2."""

    version = 2

    def __init__(self, tree: Hierarchy) -> None:
        self._tree = tree

    def prepare(self, path: str) -> None:
        """Hand every controller down to *path*, as far as each level has it and lets it go.

        A level that holds processes of its own gives none (the rule of cgroup v2 against inner processes): the
        limits that need it are refused by name when they are asked for. It would give the few that count threads, and
        then no group below it could be joined.
        """
        names = path.split("/")
        for depth in range(len(names)):
            above = "/".join(names[:depth]) or "."
            ready = set(self._text(above, "cgroup.subtree_control").split())
            missing = [word for word in self._text(above, "cgroup.controllers").split() if word not in ready]
            if missing and not self._is_inhabited(above):
                self._enable(above, missing)

    def _is_inhabited(self, path: str) -> bool:
        """Whether the rule holds: the host's top, which alone has no type, is free of it."""
        return bool(self._text(path, "cgroup.type") and self._text(path, "cgroup.procs"))

    def _enable(self, above: str, controllers: list[str]) -> None:
        try:
            self._tree.write(above, "cgroup.subtree_control", " ".join(f"+{word}" for word in controllers))
        except KernelError:
            if len(controllers) > 1:  # one that cannot go keeps back all that were written with it
                for word in controllers:
                    self._enable(above, [word])

    def plan(self, path: str, resources: Resources) -> list[Write]:
        """See plan_v2."""
        return plan_v2(resources, self._present(path, resources))

    def _present(self, path: str, resources: Resources) -> Present:
        """cpu.max; the order of memory limits is free on v2."""
        cpu = resources.cpu
        if not cpu or not (cpu.quota or cpu.period or cpu.burst is not None):
            return Present()
        quota, _, period = self._text(path, "cpu.max").strip().partition(" ")
        if not period:
            return Present()
        return Present(cpu_quota=-1 if quota == "max" else int(quota), cpu_period=int(period))

    def restrict_devices(self, path: str, rules: list[DeviceRule]) -> None:
        """Attach the program for *rules* in place of an earlier one."""
        handle = self._tree.open(path)
        try:
            attach(handle, normal_rules(rules))
        finally:
            os.close(handle)

    def set_frozen(self, path: str, *, frozen: bool) -> None:
        """cgroup.freeze, then until cgroup.events says so."""
        self._tree.write(path, "cgroup.freeze", "1" if frozen else "0")

        def reached() -> bool:
            return bool(readings.table(self._text(path, "cgroup.events")).get("frozen", 0)) is frozen

        if wait_until(reached, _FREEZE_WITHIN_S):
            return
        if frozen:
            self._tree.write(path, "cgroup.freeze", "0")
        wanted = "frozen" if frozen else "thawed"
        raise CgroupBusy(f"the processes of {self._tree.where(path)} do not become {wanted} in {_FREEZE_WITHIN_S:g} s")

    def is_frozen(self, path: str) -> bool:
        """What was asked for, reached or not."""
        return self._text(path, "cgroup.freeze").strip() == "1"

    def stats(self, path: str) -> CgroupStats:
        """From the files of the one folder."""

        def read(file: str) -> str:
            return self._text(path, file)

        return CgroupStats(
            cpu=readings.cpu_v2(read),
            memory=readings.memory_v2(read),
            pids=readings.pids(read),
            block=readings.block_v2(read),
        )

    def oom_kills(self, path: str) -> int:
        """The counter of memory.events."""
        return readings.table(self._text(path, "memory.events")).get("oom_kill", 0)

    def views(self, path: str) -> tuple[ContainerView, ...]:
        """The one tree at /sys/fs/cgroup itself."""
        return (ContainerView("", source=self._tree.where(path), kind="cgroup2"),)

    def _text(self, path: str, file: str) -> str:
        try:
            return self._tree.read(path, file)
        except KernelError as error:
            if error.errno in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
                return ""
            raise
