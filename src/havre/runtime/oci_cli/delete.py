"""`delete`: what is left of a container that has stopped, or with --force of any."""

import contextlib
import os
import select
import signal

from havre.base.errors import HavreError, NotFound, Unavailable
from havre.kernel.libc import KernelError
from havre.kernel.process import pidfd_send_signal
from havre.runtime.oci_cli.arguments import Given, Option
from havre.runtime.oci_cli.context import Context
from havre.runtime.oci_cli.create import run_poststop
from havre.runtime.oci_cli.store import Container, NotRunning, checked_id, remove_folder

HELP = "delete what a container holds, often used with a detached one"
WORDS = "CONTAINER"
OPTIONS = (Option(("force", "f"), "kill the container first when it still runs"),)
_DIES_WITHIN_S = 10.0


def run(given: Given, context: Context) -> int:
    """The verb."""
    (container_id,) = given.rest
    force = given.has("force")
    try:
        container = context.store.get(container_id)
    except NotFound:
        if not force:
            raise
        # What a creation that was killed half way left: a folder without a record.
        with contextlib.suppress(HavreError, OSError):
            remove_folder(context.store.root / checked_id(container_id))
        return 0
    delete(container, context, force=force)
    return 0


def delete(container: Container, context: Context, *, force: bool) -> None:
    """Take everything away, then run the poststop hooks. Raises NotRunning for one that runs."""
    with container.locked():
        status = container.status(context.cgroups)
        if status in ("running", "paused") and not force:
            raise NotRunning(f"cannot delete container {container.id} that is not stopped: {status}")
        if status != "stopped":
            _kill(container, context)
        group = container.record.cgroup_path
        if context.cgroups is not None and group:
            context.cgroups.kill(group)  # those who outlived the first process
            context.cgroups.remove(group)
        spec = container.spec()
        container.forget()
    run_poststop(spec, container.id, container.record.bundle, context)


def _kill(container: Container, context: Context) -> None:
    handle = container.open_process()
    if handle is None:
        return
    try:
        with contextlib.suppress(KernelError):
            pidfd_send_signal(handle, signal.SIGKILL)
        if context.cgroups is not None and container.record.cgroup_path:
            context.cgroups.kill(container.record.cgroup_path)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        if not poll.poll(_DIES_WITHIN_S * 1000):
            raise Unavailable(f"container {container.id} does not die within {_DIES_WITHIN_S:g} s")
    finally:
        os.close(handle)
