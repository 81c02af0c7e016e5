"""The program `havre-runtime`: an OCI runtime for Podman, containerd and people, over the engine's own birth.

Modules load when a verb needs them: an interpreter's start is most of what a verb costs.
"""

import importlib
import os
import sys
from typing import NamedTuple

from havre.base.errors import HavreError, InvalidInput, NotSupported
from havre.runtime.oci_cli.arguments import Given, Option, UsageError, described, parse
from havre.runtime.oci_cli.log import Log

NAME = "havre-runtime"
GLOBAL_OPTIONS = (
    Option(("debug",), "log what is done"),
    Option(("log",), "file for warnings and errors, default standard error", "PATH"),
    Option(("log-format",), "text (default) or json", "FORMAT"),
    Option(("root",), "folder of the containers' state, on a tmpfs", "PATH"),
    Option(("systemd-cgroup",), "let systemd make the cgroups (refused)"),
    Option(("cgroup-manager",), "cgroupfs (default) or disabled", "NAME"),
    Option(("rootless",), "accepted; cgroups are needed unless disabled", "VALUE"),
    Option(("criu",), "accepted; checkpoints are not offered", "PATH"),
    Option(("help", "h"), "show this text"),
    Option(("version", "v"), "show the version"),
)
_EXIT_FAILED, _EXIT_EXEC_FAILED, _EXIT_UNKNOWN = 1, 255, 3
_HELP = Option(("help", "h"), "show this text")


class Verb(NamedTuple):
    """Where a verb lives. *words* is how many arguments it takes: at least, and at most (-1: any number).

    One that *enters* a container runs from an interpreter that the container cannot write to.
    """

    module: str
    words: tuple[int, int]
    function: str = "run"
    failed: str = ""
    enters: bool = False
    help: str = ""


VERBS = {
    "create": Verb("create", (1, 1), failed="havre-runtime create failed: ", enters=True),
    "start": Verb("start", (1, 1)),
    "state": Verb("state", (1, 1)),
    "kill": Verb("kill", (1, 2)),
    "delete": Verb("delete", (1, 1)),
    "exec": Verb("execute", (1, -1), failed="exec failed: ", enters=True),
    "run": Verb("run", (1, 1), failed="havre-runtime run failed: ", enters=True),
    "pause": Verb("freeze", (1, 1), "run_pause", help="stop every process of a container where it stands"),
    "resume": Verb("freeze", (1, 1), "run_resume", help="let the processes of a paused container go on"),
    "ps": Verb("ps", (1, -1)),
    "list": Verb("state", (0, 0), "run_list", help="list the containers"),
    "features": Verb("features", (0, 0)),
}
_LIST_OPTIONS = (
    Option(("format", "f"), "table (default) or json", "FORMAT"),
    Option(("quiet", "q"), "show only the names"),
)
# How spawn begins its sentences for the engine's users; here runc's words are the known ones.
_ENGINE_WORDS = ("OCI runtime create failed: ", "OCI runtime exec failed: exec failed: ")


class Call(NamedTuple):
    """A command line, sorted. *words* is all of it, *rest* what follows the verb."""

    words: "list[str]"
    options: Given
    name: str
    verb: Verb
    rest: "list[str]"
    sealed: bool


def main(argv: "list[str] | None" = None, *, sealed: bool = False) -> int:
    """Carry out a command line; the exit status."""
    words = sys.argv[1:] if argv is None else argv
    log = Log()
    prefix, code = "", _EXIT_FAILED
    try:
        given = parse(words, GLOBAL_OPTIONS, to_first_word=True)
        log = _log(given)
        if given.has("version"):
            return _say(_version())
        if given.has("help") or not given.rest or given.rest[0] in ("help", "h"):
            return _say(_usage())
        name, *rest = given.rest
        verb = VERBS.get(name)
        if verb is None:
            log.say_error(f'unknown command "{name}"')
            return _EXIT_UNKNOWN
        prefix, code = verb.failed, _EXIT_EXEC_FAILED if name == "exec" else _EXIT_FAILED
        return _carry_out(Call(words, given, name, verb, rest, sealed), log)
    except UsageError as error:
        log.say_error(error.message)
    except HavreError as error:
        log.say_error(prefix + _without_engine_words(error.message))
    except OSError as error:
        log.say_error(prefix + str(error))
    return code


def _carry_out(call: Call, log: Log) -> int:
    name, verb = call.name, call.verb
    if verb.enters:
        _seal(call)
    module = importlib.import_module(f"havre.runtime.oci_cli.{verb.module}")
    known = _LIST_OPTIONS if name == "list" else module.OPTIONS
    given = parse(call.rest, (*known, _HELP), to_first_word=verb.words[1] < 0)
    if given.has("help"):
        return _say(_verb_usage(name, verb, known))
    least, most = verb.words
    if len(given.rest) < least or (most >= 0 and len(given.rest) > most):
        wanted = f"exactly {least}" if least == most else f"at least {least}"
        raise UsageError(f'{NAME}: "{name}" requires {wanted} argument(s)')
    from pathlib import Path

    from havre.runtime.oci_cli.context import Context
    from havre.runtime.oci_cli.store import DEFAULT_ROOT

    root = Path(os.path.abspath(call.options.one("root", DEFAULT_ROOT)))  # noqa: PTH100  links stay as they were given
    context = Context(root, log, with_cgroups=_with_cgroups(call.options))
    log.say_debug(f"{name} {' '.join(given.rest[:1])}".rstrip())
    code: int = getattr(module, verb.function)(given, context)
    return code


def _seal(call: Call) -> None:
    """Go on in a sealed interpreter, and there out of everybody's sight."""
    if not call.sealed:
        from havre.runtime.oci_cli.reborn import execute_sealed

        execute_sealed(call.words)
    from havre.kernel.process import set_dumpable

    set_dumpable(False)


def _with_cgroups(options: Given) -> bool:
    if options.has("systemd-cgroup") or options.one("cgroup-manager") == "systemd":
        raise NotSupported("systemd cgroups are not supported: use --cgroup-manager=cgroupfs")
    wanted = options.one("cgroup-manager", "cgroupfs")
    if wanted not in ("cgroupfs", "disabled"):
        raise InvalidInput(f'unknown cgroup manager "{wanted[:64]}"')
    return wanted == "cgroupfs"


def _log(given: Given) -> Log:
    form = given.one("log-format", "text")
    if form not in ("text", "json"):
        raise UsageError(f"invalid log-format: {form[:64]}")
    path = given.one("log")
    return Log("" if path == "/dev/stderr" else path, form, debug=given.has("debug"))


def _without_engine_words(message: str) -> str:
    for words in _ENGINE_WORDS:
        message = message.removeprefix(words)
    return message


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    from havre.oci.runtime_spec import VERSION as SPEC_VERSION

    try:
        own = version("havre")
    except PackageNotFoundError:
        own = "unknown"
    return f"{NAME} version {own}\nspec: {SPEC_VERSION}"


def _usage() -> str:
    lines = [f"   {name:10}{_help_of(verb)}" for name, verb in VERBS.items()]
    return (
        f"{NAME} - Open Container Initiative runtime\n\n"
        f"Usage: {NAME} [OPTION...] COMMAND [OPTION...] [ARGUMENT...]\n\n"
        "Commands:\n" + "\n".join(lines) + "\n\nOptions:\n" + described(GLOBAL_OPTIONS)
    )


def _verb_usage(name: str, verb: Verb, options: "tuple[Option, ...]") -> str:
    module = importlib.import_module(f"havre.runtime.oci_cli.{verb.module}")
    words = "" if name == "list" else module.WORDS
    head = f"{NAME} {name} - {_help_of(verb)}\n\nUsage: {NAME} {name} [OPTION...] {words}".rstrip()
    return f"{head}\n\nOptions:\n{described((*options, _HELP))}"


def _help_of(verb: Verb) -> str:
    return verb.help or str(importlib.import_module(f"havre.runtime.oci_cli.{verb.module}").HELP)


def _say(text: str) -> int:
    print(text)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
