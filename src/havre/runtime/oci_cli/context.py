"""What every verb is handed: where containers are remembered, the log, and the kernel's handles, opened when needed."""

import errno
from functools import cached_property
from pathlib import Path

from havre.base.errors import NotSupported
from havre.kernel.cgroups import Cgroups, open_cgroups
from havre.kernel.libc import KernelError
from havre.kernel.procfs import Proc, open_mounted_proc, open_proc
from havre.oci.runtime_spec import Spec
from havre.runtime.oci_cli.log import Log
from havre.runtime.oci_cli.store import Store


class Context:
    """The global options, at work."""

    def __init__(self, root: Path, log: Log, *, with_cgroups: bool = True) -> None:
        self.store = Store(root)
        self.log = log
        self._with_cgroups = with_cgroups

    @cached_property
    def cgroups(self) -> Cgroups | None:
        """The host's cgroups; None when they were switched off."""
        return open_cgroups() if self._with_cgroups else None

    @cached_property
    def proc(self) -> Proc:
        """A /proc that nothing can be mounted over, as far as the kernel grants one."""
        try:
            return open_proc()
        except KernelError as error:
            if error.errno != errno.EPERM:
                raise
            return open_mounted_proc()

    def needed_cgroups(self, what: str) -> Cgroups:
        """The cgroups, for a verb that cannot do without. Raises NotSupported."""
        if self.cgroups is None:
            raise NotSupported(f"{what} needs cgroups, and --cgroup-manager=disabled switched them off")
        return self.cgroups


def cgroup_path_of(spec: Spec, container_id: str) -> str:
    """The group of a container whose configuration names none is one of ours."""
    named = spec.linux.cgroups_path if spec.linux else ""
    return named or f"/havre/{container_id}"
