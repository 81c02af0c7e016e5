"""`ps`: the processes of a container, as numbers or as ps(1) shows them."""

import os

import msgspec

from havre.base.errors import InternalError, InvalidInput, NotFound
from havre.runtime.oci_cli.arguments import Given, Option
from havre.runtime.oci_cli.context import Context

HELP = "show the processes of a container"
WORDS = "CONTAINER [PS OPTION...]"
OPTIONS = (Option(("format", "f"), "table (default) or json", "FORMAT"),)


def run(given: Given, context: Context) -> int:
    """The verb."""
    container_id, *words = given.rest
    container = context.store.get(container_id)
    pids = context.needed_cgroups("ps").pids(container.record.cgroup_path)
    match given.one("format", "table"):
        case "json":
            print(msgspec.json.encode(pids).decode())  # noqa: T201
        case "table":
            print(_shown(_output_of(["ps", *(words or ["-ef"])]), pids))  # noqa: T201
        case other:
            raise InvalidInput(f'invalid format option "{other[:64]}"')
    return 0


def _shown(text: str, pids: list[int]) -> str:
    """The heading, and the lines whose PID column holds one of *pids*."""
    heading, *lines = text.splitlines() or [""]
    try:
        column = heading.split().index("PID")
    except ValueError:
        raise InvalidInput("couldn't find PID field in ps output") from None
    wanted = set(map(str, pids))
    kept = [line for line in lines if len(words := line.split()) > column and words[column] in wanted]
    return "\n".join([heading, *kept])


def _output_of(command: list[str]) -> str:
    reading, writing = os.pipe()
    try:
        pid = os.posix_spawnp(
            command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)], setsigdef=()
        )
    except FileNotFoundError:
        os.close(reading)
        raise NotFound("ps is not installed on this host") from None
    finally:
        os.close(writing)
    with open(reading, "rb") as output:  # noqa: PTH123  a descriptor
        text = output.read()
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
        raise InternalError(f"{' '.join(command)} failed")
    return text.decode(errors="replace")
