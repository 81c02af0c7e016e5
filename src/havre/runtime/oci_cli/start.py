"""`start`: the word that the waiting init goes on with."""

import os
import signal

from havre.base.errors import Conflict
from havre.kernel.channel import Channel, ChannelClosed, connect
from havre.kernel.process import pidfd_send_signal
from havre.runtime import hooks
from havre.runtime.errors import StartFailed, StepFailed
from havre.runtime.messages import Failed, decode_from_init
from havre.runtime.oci_cli.arguments import Given, Option
from havre.runtime.oci_cli.context import Context
from havre.runtime.oci_cli.store import Container

HELP = "execute the program of a created container"
WORDS = "CONTAINER"
OPTIONS: tuple[Option, ...] = ()
_REFUSALS = {
    "running": "cannot start an already running container",
    "paused": "cannot start an already running container",
    "stopped": "cannot start a container that has stopped",
}


def run(given: Given, context: Context) -> int:
    """The verb."""
    (container_id,) = given.rest
    start(context.store.get(container_id), context)
    return 0


def start(container: Container, context: Context) -> None:
    """Let the program loose and run the poststart hooks. Raises Conflict, StartFailed."""
    with container.locked():
        refusal = _REFUSALS.get(container.status(context.cgroups))
        if refusal:
            raise Conflict(refusal)
        failure = _give_word(container)
        container.start_socket.unlink(missing_ok=True)
    if failure is not None:
        raise StartFailed(f"unable to start container process: {failure.text}", failure.exit_code)
    _poststart(container)


def _give_word(container: Container) -> Failed | None:
    """The connection is the word; its end is execve(2), or the end of the process."""
    channel = Channel(connect(container.start_socket))
    try:
        data, _ = channel.receive()
    except ChannelClosed:
        return None
    finally:
        channel.close()
    message = decode_from_init(data)
    return message if isinstance(message, Failed) else None


def _poststart(container: Container) -> None:
    spec = container.spec()
    wanted = (spec.hooks and spec.hooks.poststart) or []
    if not wanted:
        return
    state = hooks.state(spec, container.id, "running", container.record.pid, container.record.bundle)
    try:
        hooks.run_all(wanted, "poststart", state)
    except (StepFailed, OSError) as error:
        handle = container.open_process()
        if handle is not None:
            pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)
        raise StartFailed(error.text if isinstance(error, StepFailed) else str(error)) from error
