"""`kill`: a signal for the first process, or for each."""

import errno
import os
import re
import signal

from havre.base.errors import InvalidInput
from havre.kernel.libc import KernelError
from havre.kernel.process import pidfd_send_signal
from havre.runtime.errors import strerror
from havre.runtime.oci_cli.arguments import Given, Option
from havre.runtime.oci_cli.context import Context
from havre.runtime.oci_cli.store import Container, NotRunning

HELP = "send a signal (default TERM) to the container's first process"
WORDS = "CONTAINER [SIGNAL]"
OPTIONS = (Option(("all", "a"), "send the signal to every process of the container"),)
_MAX_SIGNAL = 64
_NUMBER = re.compile(r"[0-9]{1,3}")


def run(given: Given, context: Context) -> int:
    """The verb."""
    container_id, *words = given.rest
    container = context.store.get(container_id)
    number = signal_number(words[0] if words else "SIGTERM")
    if given.has("all"):
        group = container.record.cgroup_path
        context.needed_cgroups("kill --all").kill(group, number)
        return 0
    send(container, number)
    if number == signal.SIGKILL and container.status(context.cgroups) == "paused":
        context.needed_cgroups("kill").thaw(container.record.cgroup_path)  # the dead must run to die, on cgroup v1
    return 0


def signal_number(word: str) -> int:
    """9, KILL, SIGKILL, RTMIN+3. Raises InvalidInput."""
    if _NUMBER.fullmatch(word):
        return int(word)
    name, plus, offset = word.upper().removeprefix("SIG").partition("+")
    try:
        number = int(signal.Signals[f"SIG{name}"])
    except KeyError:
        raise InvalidInput(f'unknown signal "{word[:64]}"') from None
    if plus:
        if name != "RTMIN" or not _NUMBER.fullmatch(offset) or number + int(offset) > _MAX_SIGNAL:
            raise InvalidInput(f'unknown signal "{word[:64]}"')
        number += int(offset)
    return number


def send(container: Container, number: int) -> None:
    """Raises NotRunning when it has stopped."""
    handle = container.open_process()
    if handle is None:
        raise NotRunning("container not running")
    try:
        pidfd_send_signal(handle, number)
    except KernelError as error:
        if error.errno == errno.ESRCH:
            raise NotRunning("container not running") from error
        raise InvalidInput(f"unable to signal init: {strerror(error.errno or 0)}") from error
    finally:
        os.close(handle)
