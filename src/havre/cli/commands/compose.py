"""`havre compose`: applications of many containers. This is the door; each verb is a module of its own."""

from __future__ import annotations

from importlib import import_module

from havre.cli.command import Command
from havre.cli.compose.flags import COMPOSE_FLAGS
from havre.cli.compose.names import ALIASES, REFUSED, VERBS
from havre.cli.connect import client_for
from havre.cli.each import shown_error
from havre.cli.flags import Given, UsageError, parse, switch
from havre.cli.global_flags import GLOBAL_FLAGS
from havre.cli.screen import Screen
from havre.cli.tables import clean
from havre.client.client import Client
from havre.client.errors import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from havre.cli.compose.command import Verb


def run(given: Given, client: Client, screen: Screen) -> int:
    """Find the verb, read its flags, and do it."""
    if any(given.changed(flag.name) for flag in _ENGINE_FLAGS):
        client = client_for(given)
    if given.many("insecure-registry"):
        raise ClientError("--insecure-registry: the engine decides; name it in insecure-registries of daemon.json")
    if given.switch("version"):
        given.args = ["version"]
    if given.switch("help") or not given.args or given.args[0] == "help":
        screen.write(_help(screen.program).encode())
        return 0
    typed, *words = given.args
    verb = ALIASES.get(typed, typed)
    if verb not in VERBS:
        what = REFUSED.get(verb)
        unknown = f'unknown docker command: "compose {typed}"'
        pointer = f"\n\nRun '{shown(screen.program)} --help' for more information"
        screen.error(f"{shown(screen.program, typed)}: {what}: not supported" if what else unknown + pointer)
        return 1
    return _verb(verb, words, given, client, screen)


def _verb(verb: str, words: list[str], top: Given, client: Client, screen: Screen) -> int:
    command: Verb = import_module(f"havre.cli.commands.compose_{verb}").VERB
    path = shown(screen.program, verb)
    try:
        given = parse(words, command.flags, interspersed=command.interspersed)
        command.check(given, path)
        return _act(command, given, (top, client, screen))
    except UsageError as error:
        if str(error) == "help":
            from havre.cli.usage import command_help

            screen.write(command_help(command, path, ("compose", verb), screen.program).encode())
            return 0
        screen.error(f"{error}\n\nUsage:  {path} {command.usage}\n\nRun '{path} --help' for more information")
        return 16


def _act(command: Verb, given: Given, line: tuple[Given, Client, Screen]) -> int:
    from havre.cli.compose.session import Session
    from havre.compose.errors import ComposeError

    session = Session(*line)
    try:
        return command.act(given, session)
    except ComposeError as error:
        session.progress.close()
        line[2].error("\n".join(map(clean, str(error).splitlines())))
        return error.exit_code
    except ClientError as error:
        session.progress.close()
        line[2].error(shown_error(error))
        return 1
    finally:
        session.progress.close()
        session.clients.close()


def shown(program: str, verb: str = "") -> str:
    """As the user types it: `havre compose up`, or `docker-compose up`."""
    head = program if program == "docker-compose" else f"{program} compose"
    return f"{head} {verb}".rstrip()


def _help(program: str) -> str:
    from havre.cli.usage import columns_help, options_help

    verbs = {verb: import_module(f"havre.cli.commands.compose_{verb}").VERB.summary for verb in VERBS}
    typed = shown(program)
    return (
        f"Usage:  {typed} [OPTIONS] COMMAND\n\n{COMMAND.summary}\n\nOptions:\n{options_help(list(COMPOSE_FLAGS))}\n\n"
        f"Commands:\n{columns_help(verbs)}\n\nRun '{typed} COMMAND --help' for more information on a command.\n"
    )


# `docker-compose` has no program in front of it that would take the flags of the engine.
_ENGINE_FLAGS = tuple(flag for flag in GLOBAL_FLAGS if flag.name != "version")

COMMAND = Command(
    summary="Define and run multi-container applications with Docker",
    usage="[OPTIONS] COMMAND",
    flags=(*COMPOSE_FLAGS, *_ENGINE_FLAGS, switch("help", "Print usage", short="h")),
    interspersed=False,
    run=run,
)
