"""`exec`: a further process for a container that runs."""

import os
import re
from contextlib import ExitStack
from pathlib import Path

import msgspec

from havre.base.errors import InvalidInput, NotFound
from havre.base.numbers import parse_int
from havre.kernel.process import set_subreaper
from havre.kernel.seccomp import compile_filter
from havre.oci.runtime_spec import Capabilities, Process, Spec, User
from havre.runtime.bundle import ExecRequest
from havre.runtime.errors import StartFailed
from havre.runtime.init.privileges import seccomp_flags
from havre.runtime.init.progress import Progress
from havre.runtime.oci_cli import birth
from havre.runtime.oci_cli.arguments import Given, Option
from havre.runtime.oci_cli.context import Context
from havre.runtime.oci_cli.store import Container, NotRunning
from havre.runtime.oci_cli.terminal import held_signals, wait_for
from havre.runtime.spawn import Birth, Host, Pipes, Terminal, joined_flags, spawn_guest

HELP = "execute a further process inside a container"
WORDS = "CONTAINER COMMAND [ARG...]"
OPTIONS = (
    Option(("process", "p"), "file with the process in the form of config.json", "PATH"),
    Option(("console-socket",), "unix socket that receives the master of the process's terminal", "PATH"),
    Option(("pid-file",), "file to write the pid of the process to", "PATH"),
    Option(("detach", "d"), "do not wait for the process"),
    Option(("tty", "t"), "give it a terminal"),
    Option(("cwd",), "working folder inside the container", "PATH"),
    Option(("env", "e"), "a further environment variable, NAME=VALUE", "ENV"),
    Option(("user", "u"), "numbers: UID[:GID]", "USER"),
    Option(("additional-gids", "g"), "a further group, by number", "GID"),
    Option(("cap", "c"), "a further capability", "NAME"),
    Option(("no-new-privs",), "set no_new_privs"),
    Option(("apparmor",), "AppArmor profile", "NAME"),
    Option(("process-label",), "SELinux label", "LABEL"),
    Option(("ignore-paused",), "also in a paused container: the process starts when it is resumed"),
    Option(("cgroup",), "a group below the container's, like /name", "PATH"),
    Option(("preserve-fds",), "how many descriptors from 3 on, after those of $LISTEN_FDS, it gets", "N"),
)
_MAX_ID = 2**32 - 2
_MAX_BYTES = 4 << 20
_SUBGROUP = re.compile(r"/?[A-Za-z0-9_.-]{1,200}(/[A-Za-z0-9_.-]{1,200})*")


def run(given: Given, context: Context) -> int:
    """The verb."""
    container_id, *command = given.rest
    kept = birth.kept_descriptors(given)
    container = context.store.get(container_id)
    _must_run(container, given, context)
    spec = container.spec()
    process = _process(given, command, spec)
    detached = given.has("detach")
    console = given.one("console-socket")
    stdio = birth.stdio_for(process, console, detached=detached)
    if not detached:
        set_subreaper()  # so that the process becomes our child, and its status ours to read
    with ExitStack() as always:
        receiver = always.enter_context(birth.connect_console(console)) if console else None
        request = _request(given, container, spec, birth.with_sockets(process))
        request = msgspec.structs.replace(request, keep_fds=kept)
        alarms = -1 if detached else always.enter_context(held_signals())
        born = _enter(container, request, stdio, spec, context)
        with ExitStack() as undo:
            undo.callback(born.bury)
            if receiver is not None:
                birth.send_console(receiver, born.console)
            birth.write_pid_file(given.one("pid-file"), born.pid)
            undo.pop_all()
        born.reap_maker()
        born.close()
        return 0 if detached else wait_for(born.pid, born.pidfd, born.console, alarms)


def _must_run(container: Container, given: Given, context: Context) -> None:
    status = container.status(context.cgroups)
    if status == "stopped":
        raise NotRunning("cannot exec in a stopped container")
    if status == "paused" and not given.has("ignore-paused"):
        raise NotRunning("cannot exec in a paused container (use --ignore-paused to override)")


def _request(given: Given, container: Container, spec: Spec, process: Process) -> ExecRequest:
    group = container.record.cgroup_path
    below = given.one("cgroup")
    if below.strip("/") and group:
        if not _SUBGROUP.fullmatch(below) or ".." in below.split("/"):
            raise InvalidInput(f"invalid sub-cgroup {below[:128]!r}")
        group = f"{group}/{below.strip('/')}"
    seccomp = spec.linux.seccomp if spec.linux else None
    return ExecRequest(
        id=container.id,
        process=process,
        seccomp_program=compile_filter(seccomp) if seccomp is not None else b"",
        seccomp_flags=seccomp_flags(seccomp),
        cgroup=group,
    )


def _enter(container: Container, request: ExecRequest, stdio: Pipes | Terminal, spec: Spec, context: Context) -> Birth:
    """The process, at work. Raises StartFailed."""
    target = container.open_process()
    if target is None:
        raise NotRunning("cannot exec in a stopped container")
    group = container.record.cgroup_path if context.cgroups is not None else ""
    host = Host(container.record.pid, target, joined_flags(spec), context.cgroups, group, context.proc)
    try:
        born, failure = _try(request, stdio, host)
        if failure is not None and born.failed_step == "fork":
            # The filter does not let one fork: then it has to come after the last fork.
            born, failure = _try(msgspec.structs.replace(request, bare=True), stdio, host)
        if failure is not None:
            raise failure
    finally:
        os.close(target)
    return born


def _try(request: ExecRequest, stdio: Pipes | Terminal, host: Host) -> "tuple[Birth, StartFailed | None]":
    group_fd = host.cgroups.clone_fd(host.cgroup, host.pid) if host.cgroups is not None and host.cgroup else None
    try:
        born = spawn_guest(lambda: request, stdio, host, group_fd, Progress())
    finally:
        if group_fd is not None:
            os.close(group_fd)
    try:
        birth.follow(born)
    except StartFailed as error:
        born.bury()
        return born, error
    return born, None


def _process(given: Given, command: list[str], spec: Spec) -> Process:
    """The process of --process, or the container's own with what the options change."""
    path = given.one("process")
    if path:
        return _from_file(Path(path))
    base = spec.process or Process()
    if not command:
        raise InvalidInput("process args cannot be empty")
    user = _user(given, base.user)
    return msgspec.structs.replace(
        base,
        args=command,
        terminal=given.has("tty"),
        console_size=None,
        cwd=given.one("cwd") or base.cwd,
        env=[*(base.env or []), *given.all("env")],
        user=user,
        capabilities=_capabilities(given, base.capabilities),
        no_new_privileges=base.no_new_privileges or given.has("no-new-privs"),
        apparmor_profile=given.one("apparmor") or base.apparmor_profile,
        selinux_label=given.one("process-label") or base.selinux_label,
    )


def _from_file(path: Path) -> Process:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"open {path}: no such file or directory") from None
    if len(data) > _MAX_BYTES:
        raise InvalidInput(f"{path} is larger than {_MAX_BYTES} bytes")
    try:
        process = msgspec.json.decode(data, type=Process)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput(f"invalid process in {path}: {error}") from error
    if not process.args:
        raise InvalidInput("process args cannot be empty")
    if not process.cwd.startswith("/"):
        raise InvalidInput(f'Cwd must be an absolute path: "{process.cwd}"')
    return process


def _user(given: Given, base: User) -> User:
    groups = [parse_int(word, what="additional gid", high=_MAX_ID) for word in given.all("additional-gids")]
    named = given.one("user")
    if named:
        uid, _, gid = named.partition(":")
        base = msgspec.structs.replace(
            base,
            uid=parse_int(uid, what="uid", high=_MAX_ID),
            gid=parse_int(gid, what="gid", high=_MAX_ID) if gid else base.gid,
        )
    return msgspec.structs.replace(base, additional_gids=[*(base.additional_gids or []), *groups])


def _capabilities(given: Given, base: Capabilities | None) -> Capabilities | None:
    more = [word.upper() for word in given.all("cap")]
    if not more:
        return base
    held = base or Capabilities()
    return msgspec.structs.replace(
        held,
        bounding=[*(held.bounding or []), *more],
        effective=[*(held.effective or []), *more],
        permitted=[*(held.permitted or []), *more],
    )
