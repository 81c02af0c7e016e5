from __future__ import annotations

import os

import pytest

from havre.base.errors import HavreError, InternalError, InvalidInput
from havre.engine.top import parse_columns, process_table, read_process


def titles(ps_args: str) -> list[str]:
    return [title for _, title in parse_columns(ps_args)]


@pytest.mark.parametrize(
    ("ps_args", "wanted"),
    [
        ("-ef", "UID PID PPID C STIME TTY TIME CMD"),
        ("aux", "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"),
        ("-e -f", "UID PID PPID C STIME TTY TIME CMD"),
        ("-A", "PID TTY TIME CMD"),
        ("ax", "PID TTY STAT TIME COMMAND"),
        ("-o pid,cmd", "PID CMD"),
        ("-eo pid,ppid,user,args", "PID PPID USER COMMAND"),
        ("-o pid -o comm=NAME", "PID NAME"),
        ("axo pid,etime,pcpu", "PID ELAPSED %CPU"),
        ("-opid,rss", "PID RSS"),
        ("-o pid,tty,stat,ni,nlwp,lstart", "PID TTY STAT NI NLWP STARTED"),
    ],
)
def test_columns(ps_args: str, wanted: str) -> None:
    assert titles(ps_args) == wanted.split()


@pytest.mark.parametrize(
    ("ps_args", "kind", "message"),
    [
        ("zz", InvalidInput, "unsupported option (BSD syntax)"),
        ("-Z9", InvalidInput, "unsupported option (SysV option)"),
        ("--forest", InvalidInput, "unsupported option (gnu long option)"),
        ("-o cmd", InternalError, "Couldn't find PID field in ps output"),
        ("-o pid,zz", InvalidInput, 'unknown user-defined format specifier "zz"'),
        ("-o", InvalidInput, "improper format list"),
    ],
)
def test_what_is_not_understood(ps_args: str, kind: type[HavreError], message: str) -> None:
    with pytest.raises(kind) as wrong:
        parse_columns(ps_args)
    assert message in str(wrong.value)


def test_this_very_process() -> None:
    table = process_table(parse_columns("-o pid,ppid,comm,args,user,tty,stat,time,etime,vsz,rss,%mem"), [os.getpid()])
    (row,) = table.get("Processes") or []
    assert row[:2] == [str(os.getpid()), str(os.getppid())]
    assert "python" in row[3] or "pytest" in row[3]
    for ps_args in ("-ef", "aux", "-l", "-j"):
        (row,) = process_table(parse_columns(ps_args), [os.getpid()]).get("Processes") or []
        assert len(row) == len(titles(ps_args))


def test_what_is_gone_is_left_out() -> None:
    assert read_process(2**22 + 5) is None
    assert process_table(parse_columns("-ef"), [2**22 + 5]).get("Processes") == []
