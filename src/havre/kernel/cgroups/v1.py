"""cgroup v1: a hierarchy a controller, the freezer among them, and a cpuset that starts empty."""

import errno

from havre.kernel.cgroups import readings
from havre.kernel.cgroups.contract import (
    CgroupBusy,
    CgroupStats,
    ContainerView,
    Hierarchies,
    NoSuchController,
    Present,
    Write,
)
from havre.kernel.cgroups.hierarchy import Hierarchy, wait_until
from havre.kernel.cgroups.plan_v1 import plan_v1
from havre.kernel.libc import KernelError
from havre.oci.runtime_spec import DeviceRule, Resources

_FREEZE_WITHIN_S = 5.0


class V1:
    """The Dialect of cgroup v1."""

    version = 1

    def __init__(self, trees: Hierarchies) -> None:
        self._trees = trees

    def prepare(self, path: str) -> None:
        """A cpuset without CPUs and memory nodes takes no process: give it its parent's, from the top down."""
        cpuset = self._trees.controllers.get("cpuset")
        if cpuset is None:
            return
        names = path.split("/")
        for depth in range(1, len(names) + 1):
            parent, here = "/".join(names[: depth - 1]) or ".", "/".join(names[:depth])
            for file in ("cpuset.cpus", "cpuset.mems"):
                if not cpuset.read(here, file).strip():
                    cpuset.write(here, file, cpuset.read(parent, file).strip())

    def plan(self, path: str, resources: Resources) -> list[Write]:
        """See plan_v1."""
        return plan_v1(resources, self._present(path, resources))

    def _present(self, path: str, resources: Resources) -> Present:
        """Read the limits that the order of new ones depends on; the defaults where nothing is to be ordered."""
        memory, cpu = resources.memory, resources.cpu
        found = Present()
        if memory and memory.limit and memory.swap:
            found = found._replace(memory_limit=self._integer("memory", path, "memory.limit_in_bytes", -1))
        if cpu and (cpu.quota or cpu.period or cpu.burst is not None):
            found = found._replace(
                cpu_quota=self._integer("cpu", path, "cpu.cfs_quota_us", -1),
                cpu_period=self._integer("cpu", path, "cpu.cfs_period_us", 100_000),
            )
        return found

    def restrict_devices(self, path: str, rules: list[DeviceRule]) -> None:
        """Nothing left to do: *plan* wrote devices.allow and devices.deny."""

    def set_frozen(self, path: str, *, frozen: bool) -> None:
        """freezer.state; processes that fork while they freeze are caught by asking again."""
        freezer = self._freezer()
        wanted = "FROZEN" if frozen else "THAWED"

        def reached() -> bool:
            freezer.write(path, "freezer.state", wanted)
            return freezer.read(path, "freezer.state").strip() == wanted

        if wait_until(reached, _FREEZE_WITHIN_S):
            return
        if frozen:
            freezer.write(path, "freezer.state", "THAWED")
        raise CgroupBusy(f"the processes of {freezer.where(path)} do not become {wanted} in {_FREEZE_WITHIN_S:g} s")

    def is_frozen(self, path: str) -> bool:
        """Not THAWED, by itself: FREEZING counts."""
        freezer = self._trees.controllers.get("freezer")
        return bool(freezer) and self._text("freezer", path, "freezer.state").strip() in ("FROZEN", "FREEZING")

    def stats(self, path: str) -> CgroupStats:
        """From cpuacct, cpu, memory, pids and blkio."""

        def read(file: str) -> str:
            return self._text(file.partition(".")[0], path, file)

        return CgroupStats(
            cpu=readings.cpu_v1(read),
            memory=readings.memory_v1(read),
            pids=readings.pids(read),
            block=readings.block_v1(read),
        )

    def oom_kills(self, path: str) -> int:
        """The counter of memory.oom_control."""
        return readings.table(self._text("memory", path, "memory.oom_control")).get("oom_kill", 0)

    def views(self, path: str) -> tuple[ContainerView, ...]:
        """A folder a hierarchy; controllers that share one get a link each, as on the host."""
        found = []
        for tree in self._trees.every:
            if tree.version == 1:
                name = tree.mount_point.rpartition("/")[2]
                found.append(ContainerView(name, source=tree.where(path), kind="cgroup", options=tree.options))
                found += [ContainerView(word, link=name) for word in sorted(tree.controllers) if word != name]
        return tuple(found)

    def _freezer(self) -> Hierarchy:
        freezer = self._trees.controllers.get("freezer")
        if freezer is None:
            raise NoSuchController("processes cannot be paused: this host has no freezer cgroup")
        return freezer

    def _text(self, controller: str, path: str, file: str) -> str:
        tree = self._trees.controllers.get(controller)
        if tree is None:
            return ""
        try:
            return tree.read(path, file)
        except KernelError as error:
            if error.errno in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
                return ""
            raise

    def _integer(self, controller: str, path: str, file: str, otherwise: int) -> int:
        text = self._text(controller, path, file).strip()
        return int(text) if text.lstrip("-").isdigit() else otherwise
