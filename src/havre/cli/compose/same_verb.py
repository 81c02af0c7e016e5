"""Verbs that do to a service's container what the verb of the same name does to any container."""

from __future__ import annotations

from importlib import import_module

from havre.cli.command import Command
from havre.cli.compose.session import Session
from havre.cli.flags import Given, parse


def run_for_container(session: Session, verb: str, words: list[str]) -> int:
    """`container VERB words`: its exit code. Raises UsageError and ClientError as it does."""
    command: Command = import_module(f"havre.cli.commands.container_{verb}").COMMAND
    return command.run(parse(words, command.flags, interspersed=command.interspersed), session.client, session.screen)


def passed_on(given: Given, *names: str) -> list[str]:
    """Flags that were given, as words for the other verb."""
    return [f"--{name}={value}" for name in names for value in given.many(name)]
