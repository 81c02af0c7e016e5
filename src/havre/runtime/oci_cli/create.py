"""`create`: everything but the user's program, which `start` lets loose."""

import os
import pwd
import time
from contextlib import ExitStack
from pathlib import Path

from havre.base.errors import HavreError
from havre.kernel.channel import listen
from havre.kernel.libc import KernelError
from havre.kernel.process import boot_id, start_time
from havre.oci.runtime_spec import Spec
from havre.runtime import hooks
from havre.runtime.bundle import Bundle
from havre.runtime.errors import StartFailed, StepFailed
from havre.runtime.init.progress import Progress
from havre.runtime.oci_cli import birth, config
from havre.runtime.oci_cli.arguments import Given, Option
from havre.runtime.oci_cli.context import Context
from havre.runtime.oci_cli.store import START_SOCKET, Container, Record, checked_id, remove_folder
from havre.runtime.spawn import Birth, Order, spawn

HELP = "create a container"
WORDS = "CONTAINER"
OPTIONS = (
    Option(("bundle", "b"), "path to the bundle, default the current folder", "PATH"),
    Option(("console-socket",), "unix socket that receives the master of the container's terminal", "PATH"),
    Option(("pid-file",), "file to write the pid of the container's first process to", "PATH"),
    Option(("no-pivot",), "the host's root is a ramdisk, which pivot_root does not take"),
    Option(("no-new-keyring",), "leave the container the caller's session keyring"),
    Option(("no-subreaper",), "accepted; this command never becomes a subreaper"),
    Option(("preserve-fds",), "how many descriptors from 3 on, after those of $LISTEN_FDS, the container gets", "N"),
)


def run(given: Given, context: Context) -> int:
    """The verb."""
    (container_id,) = given.rest
    make(container_id, given, context, detached=True)
    return 0


def make(container_id: str, given: Given, context: Context, *, detached: bool) -> "tuple[Container, Birth]":
    """Bring a container to where `start` takes it. Raises HavreError or OSError, and then nothing is left."""
    kept = birth.kept_descriptors(given)
    bundle = Path(os.path.abspath(given.one("bundle", ".")))  # noqa: PTH100  no link of the user's is resolved away
    spec = config.load(bundle, checked_id(container_id), with_cgroups=context.cgroups is not None)
    process = config.process_of(spec)
    console = given.one("console-socket")
    stdio = birth.stdio_for(process, console, detached=detached)
    with ExitStack() as undo, ExitStack() as always:
        receiver = always.enter_context(birth.connect_console(console)) if console else None
        folder = context.store.new_folder(container_id)
        undo.callback(remove_folder, folder)
        go = always.enter_context(listen(folder / START_SOCKET))
        value = Bundle(
            id=container_id,
            spec=birth.with_listeners(spec),
            run_dir=str(bundle),
            keep_fds=kept,
            keep_keyring=given.has("no-new-keyring"),
            on_ramdisk=given.has("no-pivot"),
        )
        born = spawn(Order(value, stdio, context.cgroups, context.proc, Progress(), go))
        undo.callback(_end, born, spec, value, context)
        birth.follow(born)
        if receiver is not None:
            birth.send_console(receiver, born.console)
        record = _record(container_id, bundle, spec, born.pid)
        container = context.store.save(folder, record, spec)
        birth.write_pid_file(given.one("pid-file"), born.pid)
        undo.pop_all()
        born.close()
        return container, born


def _end(born: Birth, spec: Spec, value: Bundle, context: Context) -> None:
    """Take everything of a failed birth away; poststop hooks see the end of what their earlier fellows began."""
    born.bury()
    group = spec.linux.cgroups_path if spec.linux else ""
    if context.cgroups is not None and group:
        try:
            context.cgroups.kill(group)
            context.cgroups.remove(group)
        except (KernelError, HavreError) as error:
            context.log.say_warning(f"the cgroup of the failed container stays: {error}")
    run_poststop(spec, value.id, value.run_dir, context)


def run_poststop(spec: Spec, container_id: str, bundle: str, context: Context) -> None:
    """Each of the hooks; one that fails is a warning (runtime-spec, "Lifecycle")."""
    for hook in (spec.hooks and spec.hooks.poststop) or ():
        try:
            hooks.run_all([hook], "poststop", hooks.state(spec, container_id, "stopped", 0, bundle))
        except (StepFailed, OSError) as error:
            context.log.say_warning(error.text if isinstance(error, StepFailed) else str(error))


def _record(container_id: str, bundle: Path, spec: Spec, pid: int) -> Record:
    began = start_time(pid)
    if began is None:
        raise StartFailed("the container's first process ended before it was started")
    try:
        owner = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        owner = ""
    return Record(
        id=container_id,
        bundle=str(bundle),
        rootfs=spec.root.path if spec.root else "",
        pid=pid,
        start_time=began,
        boot_id=boot_id(),
        created_ns=time.time_ns(),
        owner=owner,
        cgroup_path=spec.linux.cgroups_path if spec.linux else "",
    )
