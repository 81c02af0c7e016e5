"""Help texts, laid out as Docker's."""

from __future__ import annotations

from importlib import import_module

from havre.cli.command import Command
from havre.cli.flags import Flag
from havre.cli.global_flags import GLOBAL_FLAGS
from havre.cli.names import ALIASES, COMMANDS, GROUPS

_COMMON = ("run", "exec", "ps", "pull", "images", "version", "info")


def command_help(command: Command, shown: str, path: tuple[str, ...], program: str) -> str:
    """The whole help of one command."""
    parts = [f"Usage:  {shown} {command.usage}".rstrip(), command.summary]
    names = [" ".join((program, *path))]
    names += [" ".join((program, *alias)) for alias, target in ALIASES.items() if target == path]
    if len(names) > 1:
        parts.append("Aliases:\n  " + ", ".join(names))
    if command.flags:
        parts.append("Options:\n" + options_help(sorted(command.flags, key=lambda flag: flag.name)))
    return "\n\n".join(parts) + "\n"


def group_help(group: str, program: str) -> str:
    """The commands of one group."""
    verbs = {path[1]: _summary(path) for path in COMMANDS if len(path) == 2 and path[0] == group}
    return (
        f"Usage:  {program} {group} COMMAND\n\n{GROUPS[group]}\n\nCommands:\n{columns_help(verbs)}\n\n"
        f"Run '{program} {group} COMMAND --help' for more information on a command.\n"
    )


def program_help(program: str) -> str:
    """All commands."""
    top: dict[str, tuple[str, ...]] = {path[0]: path for path in COMMANDS if len(path) == 1}
    top.update({alias[0]: target for alias, target in ALIASES.items() if len(alias) == 1})
    common = {name: _summary(top[name]) for name in _COMMON if name in top}
    rest = {name: _summary(top[name]) for name in sorted(top) if name not in common}
    return (
        f"Usage:  {program} [OPTIONS] COMMAND\n\nContainers, images and networks without Docker\n\n"
        f"Common Commands:\n{columns_help(common)}\n\nManagement Commands:\n{columns_help(GROUPS)}\n\n"
        f"Commands:\n{columns_help(rest)}\n\nGlobal Options:\n{options_help(list(GLOBAL_FLAGS))}\n\n"
        f"Run '{program} COMMAND --help' for more information on a command.\n"
    )


def _summary(path: tuple[str, ...]) -> str:
    command: Command = import_module(f"havre.cli.commands.{COMMANDS[path]}").COMMAND
    return command.summary


def columns_help(rows: dict[str, str]) -> str:
    """Commands and what they do, in two columns."""
    width = max(11, *(len(name) + 1 for name in rows)) if rows else 11
    return "\n".join(f"  {name:<{width}} {summary}" for name, summary in rows.items())


def options_help(flags: list[Flag]) -> str:
    """Flags and what they do, in two columns."""
    heads = []
    for flag in flags:
        short = f"-{flag.short}, " if flag.short else "    "
        heads.append(f"  {short}--{flag.name}" + (f" {flag.kind}" if flag.kind else ""))
    width = max(map(len, heads)) + 3
    lines = []
    for flag, head in zip(flags, heads, strict=True):
        summary = flag.summary.replace("\n", "\n" + " " * width)
        lines.append(f"{head:<{width}}{summary}{_default(flag)}".rstrip())
    return "\n".join(lines)


def _default(flag: Flag) -> str:
    if flag.many or flag.default in ("", "false", "0"):
        return ""
    shown = f'"{flag.default}"' if flag.kind == "string" else flag.default
    return f" (default {shown})"
