"""What a RUN really starts: its shell, its heredocs."""

import posixpath
from dataclasses import dataclass
from typing import Final

from havre.build.dockerfile.heredocs import read_heredoc
from havre.build.dockerfile.instructions import Command
from havre.build.dockerfile.nodes import Heredoc

DEFAULT_SHELL: Final = ("/bin/sh", "-c")
SCRIPT_FOLDER: Final = "/dev/pipes"


@dataclass(frozen=True, slots=True)
class Script:
    """A file that must be there, executable and read-only, while the command runs."""

    path: str
    content: str


@dataclass(frozen=True, slots=True)
class Start:
    """A program with its arguments, and the script that it needs, if it needs one."""

    argv: tuple[str, ...]
    script: Script | None = None


def start_of(command: Command, shell: tuple[str, ...] = DEFAULT_SHELL) -> Start:
    """What *command* starts in a stage whose SHELL is *shell*.

    A heredoc alone is the script itself: given to the shell, or, where it begins with `#!`, put into a file that the
    shell starts. Heredocs behind a command go to the shell as they were written.
    """
    if not command.heredocs or not command.is_shell:
        return Start(command.argv(shell))
    line = " ".join(command.words)
    if read_heredoc(line) is None:
        return Start((*shell, "\n".join([line, *map(_as_written, command.heredocs)])))
    first = command.heredocs[0]
    if not first.stripped.startswith("#!"):
        return Start((*shell, first.stripped))
    path = posixpath.join(SCRIPT_FOLDER, first.name.replace("/", "_"))
    return Start((*shell, path), Script(path, first.stripped))


def summary(heredoc: Heredoc) -> str:
    """The first line of a document, for a step's title."""
    first, more, _ = heredoc.content.strip().partition("\n")
    return f"{first.rstrip()}..." if more else first


def _as_written(heredoc: Heredoc) -> str:
    return heredoc.content + heredoc.name
