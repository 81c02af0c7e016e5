"""`pause` and `resume`: every process stopped where it stands, and let go on."""

from havre.runtime.oci_cli.arguments import Given, Option
from havre.runtime.oci_cli.context import Context
from havre.runtime.oci_cli.store import NotRunning

WORDS = "CONTAINER"
OPTIONS: tuple[Option, ...] = ()


def run_pause(given: Given, context: Context) -> int:
    """The verb `pause`."""
    (container_id,) = given.rest
    container = context.store.get(container_id)
    with container.locked():
        if container.status(context.cgroups) not in ("running", "created"):
            raise NotRunning("container not running")
        context.needed_cgroups("pause").freeze(container.record.cgroup_path)
    return 0


def run_resume(given: Given, context: Context) -> int:
    """The verb `resume`."""
    (container_id,) = given.rest
    container = context.store.get(container_id)
    with container.locked():
        cgroups = context.needed_cgroups("resume")
        if container.status(cgroups) == "stopped" or not cgroups.is_frozen(container.record.cgroup_path):
            raise NotRunning("container not paused")
        cgroups.thaw(container.record.cgroup_path)
    return 0
