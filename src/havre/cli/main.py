"""Entry point of `havre`, which also answers to the names `docker`, `docker-compose` and `docker-buildx`.

Only the module of the command that was asked for is imported: the start-up time of `havre ps` is a budget.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from havre.cli.command import Command
from havre.cli.connect import client_for
from havre.cli.each import shown_error
from havre.cli.flags import Given, UsageError, parse
from havre.cli.global_flags import GLOBAL_FLAGS
from havre.cli.names import ALIASES, COMMANDS, GROUPS
from havre.cli.screen import Screen
from havre.client.errors import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main() -> None:
    """Run the command line of this process and exit with its code."""
    program, words = os.path.basename(sys.argv[0]), sys.argv[1:]
    try:
        if program in ("docker-compose", "docker-buildx"):
            code = _run_plugin(program, words)
        else:
            code = run(words, Screen(program if program == "docker" else "havre"))
    except BrokenPipeError:
        code = 1
    except KeyboardInterrupt:
        code = 130
    os._exit(code)  # nothing is buffered, and the interpreter's own tear-down costs milliseconds


def _run_plugin(program: str, words: Sequence[str]) -> int:
    from havre.cli.plugin import metadata, words_of

    screen = Screen(program)
    if answer := metadata(program, words):
        screen.line(answer)
        return 0
    return run(words_of(program, words), screen)


def run(words: Sequence[str], screen: Screen) -> int:
    """Run one command line and return its exit code; nothing raises but the loss of a stream."""
    try:
        top = parse(words, GLOBAL_FLAGS, interspersed=False)
    except UsageError as error:
        return _usage_error(error, screen.program, "[OPTIONS] COMMAND", screen)
    if top.switch("version"):
        from havre.cli.commands.version import short_version

        screen.line(short_version(screen.program))
        return 0
    if top.text("config"):
        os.environ["DOCKER_CONFIG"] = top.text("config")  # credential helpers want to know, too
    path = find_command(top.args)
    if path is None:
        return _no_command(top.args, screen)
    return _run_command(path, top, screen)


def find_command(words: Sequence[str]) -> tuple[str, ...] | None:
    """The longest run of leading words that names a command, with aliases resolved."""
    for length in (3, 2, 1):
        words_tried = tuple(words[:length])
        if len(words_tried) == length and (ALIASES.get(words_tried) or words_tried) in COMMANDS:
            return words_tried
    return None


def _run_command(typed: tuple[str, ...], top: Given, screen: Screen) -> int:
    path = ALIASES.get(typed, typed)
    shown = " ".join((screen.program, *typed))
    command: Command = import_module(f"havre.cli.commands.{COMMANDS[path]}").COMMAND
    try:
        given = parse(top.args[len(typed) :], command.flags, interspersed=command.interspersed)
        command.check(given, shown)
    except UsageError as error:
        if str(error) == "help":
            from havre.cli.usage import command_help

            screen.write(command_help(command, shown, path, screen.program).encode())
            return 0
        return _usage_error(error, shown, command.usage, screen)
    try:
        client = client_for(top)
    except ClientError as error:
        screen.error(str(error))
        return 1
    try:
        return command.run(given, client, screen)
    except UsageError as error:
        return _usage_error(error, shown, command.usage, screen)
    except ClientError as error:
        return _failed(error, path, shown, screen)
    finally:
        client.close()


def _failed(error: ClientError, path: tuple[str, ...], shown: str, screen: Screen) -> int:
    """Docker's words and codes: `run` and `create` say 125 and point to their help, the rest say 1."""
    starts = path[-1] in ("run", "create") and path[0] in ("run", "create", "container")
    text_shown = shown_error(error)
    if starts:
        screen.error(f"{screen.program}: {text_shown}\n\nRun '{shown} --help' for more information")
        return 125
    screen.error(text_shown)
    return 1


def _usage_error(error: UsageError, shown: str, usage: str, screen: Screen) -> int:
    if str(error) == "help":
        from havre.cli.usage import program_help

        screen.write(program_help(screen.program).encode())
        return 0
    if error.exit_code == 1:
        head, pointer = f"{screen.program}: {error}", "See"
    else:
        head, pointer = str(error), "Run"
    screen.error(f"{head}\n\nUsage:  {shown} {usage}\n\n{pointer} '{shown} --help' for more information")
    return error.exit_code


def _no_command(words: Sequence[str], screen: Screen) -> int:
    from havre.cli.usage import group_help, program_help

    if not words:
        screen.write(program_help(screen.program).encode())
        return 0
    group = tuple(words[:1])
    if group[0] in GROUPS:
        unknown = [word for word in words[1:] if word not in ("--help", "-h")]
        if not unknown:
            screen.write(group_help(group[0], screen.program).encode())
            return 0
        shown = f"{screen.program} {group[0]}"
        screen.error(
            f"{screen.program}: unknown command: {shown} {unknown[0]}\n\nUsage:  {shown}\n\n"
            f"Run '{shown} --help' for more information"
        )
        return 1
    screen.error(
        f"{screen.program}: unknown command: {screen.program} {words[0]}\n\n"
        f"Run '{screen.program} --help' for more information"
    )
    return 1


if __name__ == "__main__":
    main()
