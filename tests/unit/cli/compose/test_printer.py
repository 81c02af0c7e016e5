"""Lines of many containers on one screen."""

from __future__ import annotations

import pytest

from havre.cli.compose.printer import Printer, Style
from havre.cli.screen import STDERR, STDOUT


def test_whole_lines_behind_aligned_names(capfd: pytest.CaptureFixture[str]) -> None:
    printer = Printer(Style())
    printer.know(["web-1", "database-1"])
    printer.feed("web-1", b"one\ntw")
    printer.feed("database-1", b"said\r\n", STDERR)
    printer.feed("web-1", b"o\nno end")
    printer.end("web-1")
    out, err = capfd.readouterr()
    assert out == "web-1       | one\nweb-1       | two\nweb-1       | no end\n"
    assert err == "database-1  | said\n"


def test_colours_and_no_prefix(capfd: pytest.CaptureFixture[str]) -> None:
    printer = Printer(Style(colours=True))
    printer.know(["a"])
    printer.feed("a", b"x\n")
    plain = Printer(Style(prefix=False))
    plain.feed("a", b"\x1b[1mraw\x1b[0m\n", STDOUT)
    assert capfd.readouterr().out == "\x1b[36ma  | \x1b[0mx\n\x1b[1mraw\x1b[0m\n"


def test_what_is_held_is_shown_in_order(capfd: pytest.CaptureFixture[str]) -> None:
    printer = Printer(Style(), held=True)
    printer.know(["a"])
    printer.feed("a", b"1\n")
    assert capfd.readouterr().out == ""
    printer.release()
    printer.feed("a", b"2\n")
    assert capfd.readouterr().out == "a  | 1\na  | 2\n"


def test_a_line_without_an_end_is_shown_before_it_fills_memory(capfd: pytest.CaptureFixture[str]) -> None:
    printer = Printer(Style())
    printer.know(["a"])
    printer.feed("a", b"x" * 70_000)
    assert len(capfd.readouterr().out) > 70_000
