"""The programs that a spec wants run at points of a container's life (runtime-spec, "POSIX-platform Hooks")."""

import os
import select
import signal

import msgspec

from havre.kernel.process import pidfd_open, pidfd_send_signal
from havre.oci.runtime_spec import Hook, Spec
from havre.runtime.errors import StepFailed

_CANNOT_RUN = 127


class _State(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    oci_version: str
    id: str
    status: str
    pid: int = 0
    bundle: str = ""
    annotations: dict[str, str] = {}


def state(spec: Spec, container_id: str, status: str, pid: int, bundle: str) -> bytes:
    """The state of a container as JSON (runtime-spec, "State")."""
    return msgspec.json.encode(
        _State(spec.oci_version, container_id, status, pid, bundle, dict(spec.annotations or {}))
    )


def run_all(hooks: "list[Hook]", point: str, state_json: bytes) -> None:
    """Run *hooks* one after another with the state on their input. StepFailed for the first that does not end well."""
    for number, hook in enumerate(hooks):
        code = _run(hook, state_json)
        if code is None:
            raise StepFailed(f"error running {point} hook #{number}: {hook.path} did not end within {hook.timeout} s")
        if code:
            raise StepFailed(f"error running {point} hook #{number}: {hook.path}: exit status {code}")


def _run(hook: Hook, state_json: bytes) -> int | None:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(hook, reading)
    os.close(reading)
    try:
        os.write(writing, state_json)
    except BrokenPipeError:
        pass  # a hook need not read it
    finally:
        os.close(writing)
    return _wait(pid, hook.timeout)


def _become(hook: Hook, reading: int) -> None:
    try:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.dup2(reading, 0, inheritable=True)
        env = dict(entry.partition("=")[::2] for entry in hook.env or ())
        os.execve(os.fsencode(hook.path), hook.args or [hook.path], env)  # bytes, as the guard knows it
    except OSError:
        pass
    finally:
        os._exit(_CANNOT_RUN)


def _wait(pid: int, timeout_s: int | None) -> int | None:
    if timeout_s is not None:
        handle = pidfd_open(pid)
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            if not poll.poll(timeout_s * 1000):
                pidfd_send_signal(handle, signal.SIGKILL)
                os.waitpid(pid, 0)
                return None
        finally:
            os.close(handle)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
