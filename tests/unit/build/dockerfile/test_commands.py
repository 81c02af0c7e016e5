from __future__ import annotations

import pytest

from havre.build.dockerfile.commands import Script, Start, start_of, summary
from havre.build.dockerfile.instructions import Command
from havre.build.dockerfile.nodes import Heredoc

SHELL = ("/bin/bash", "-c")


@pytest.mark.parametrize(
    ("command", "start"),
    [
        (Command(("a b",), is_shell=True), Start(("/bin/bash", "-c", "a b"))),
        (Command(("a", "b"), is_shell=False), Start(("a", "b"))),
        (
            Command(("<<E",), is_shell=True, heredocs=(Heredoc("E", content="a\nb\n"),)),
            Start(("/bin/bash", "-c", "a\nb\n")),
        ),
        (
            Command(("<<-E",), is_shell=True, heredocs=(Heredoc("E", chomp=True, content="\ta\n"),)),
            Start(("/bin/bash", "-c", "a\n")),
        ),
        (
            Command(("<<-E/f",), is_shell=True, heredocs=(Heredoc("E/f", chomp=True, content="\t#!/bin/x\n\ta\n"),)),
            Start(("/bin/bash", "-c", "/dev/pipes/E_f"), Script("/dev/pipes/E_f", "#!/bin/x\na\n")),
        ),
        (
            Command(
                ("cat <<E <<-F",),
                is_shell=True,
                heredocs=(Heredoc("E", content="a\n"), Heredoc("F", chomp=True, content="\tb\n")),
            ),
            Start(("/bin/bash", "-c", "cat <<E <<-F\na\nE\n\tb\nF")),
        ),
    ],
)
def test_what_is_started(command: Command, start: Start) -> None:
    assert start_of(command, SHELL) == start


def test_the_default_shell() -> None:
    assert start_of(Command(("a",), is_shell=True)).argv == ("/bin/sh", "-c", "a")


@pytest.mark.parametrize(("content", "short"), [("\na\r\nb\n", "a..."), ("a\n", "a"), ("", ""), ("\n", "")])
def test_a_short_text_for_a_title(content: str, short: str) -> None:
    assert summary(Heredoc("E", content=content)) == short
