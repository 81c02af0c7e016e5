"""`run`: create, start, and in the foreground also wait and delete."""

from havre.runtime.oci_cli import create
from havre.runtime.oci_cli.arguments import Given, Option
from havre.runtime.oci_cli.context import Context
from havre.runtime.oci_cli.delete import delete
from havre.runtime.oci_cli.start import start
from havre.runtime.oci_cli.terminal import held_signals, wait_for

HELP = "create and run a container"
WORDS = "CONTAINER"
OPTIONS = (
    *create.OPTIONS,
    Option(("detach", "d"), "do not wait for the container"),
    Option(("keep",), "do not delete the container when it has ended"),
)


def run(given: Given, context: Context) -> int:
    """The verb: the exit code of the container's program, in the foreground."""
    (container_id,) = given.rest
    detached = given.has("detach")
    container, born = create.make(container_id, given, context, detached=detached)
    try:
        if detached:
            start(container, context)
            return 0
        with held_signals() as alarms:
            start(container, context)
            code = wait_for(born.pid, born.pidfd, born.console, alarms)
    except BaseException:
        delete(container, context, force=True)
        raise
    if not given.has("keep"):
        delete(container, context, force=True)
    return code
