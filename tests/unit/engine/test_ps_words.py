from __future__ import annotations

import pytest

from havre.base.errors import HavreError, InternalError, InvalidInput
from havre.engine.ps_words import FOREST, HIERARCHY, parse_ps


def titles(ps_args: str) -> list[str]:
    return [title for _, title in parse_ps(ps_args).columns]


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
        ("-o pid,tty,stat,ni,nlwp,lstart", "PID TT STAT NI NLWP STARTED"),
        ("-F", "UID PID PPID C SZ RSS PSR STIME TTY TIME CMD"),
        ("-eLf", "UID PID PPID LWP C NLWP STIME TTY TIME CMD"),
        ("-eT", "PID SPID TTY TIME CMD"),
        ("-L", "PID LWP TTY TIME CMD"),
        ("auxf", "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"),
        ("f", "PID TTY STAT TIME COMMAND"),
        ("v", "PID TTY STAT TIME MAJFL TRS DRS RSS %MEM COMMAND"),
        ("-eo user:20,pid,psr,class,cgroup", "USER PID PSR CLS CGROUP"),
        ("-o pid,cmd --sort=-rss", "PID CMD"),
    ],
)
def test_columns(ps_args: str, wanted: str) -> None:
    assert titles(ps_args) == wanted.split()


@pytest.mark.parametrize(
    ("ps_args", "kind", "message"),
    [
        ("zz", InvalidInput, "unsupported option (BSD syntax)"),
        ("-e9", InvalidInput, "unsupported option (SysV option)"),
        ("--pid=1", InvalidInput, "unsupported option (gnu long option)"),
        ("-o cmd", InternalError, "Couldn't find PID field in ps output"),
        ("-o pid,zz", InvalidInput, 'unknown user-defined format specifier "zz"'),
        ("-o pid=NUMBER,cmd", InternalError, "Couldn't find PID field in ps output"),
        ("aux --sort=zz", InvalidInput, "unknown sort specifier: zz"),
        ("-o", InvalidInput, "improper format list"),
    ],
)
def test_what_is_not_understood(ps_args: str, kind: type[HavreError], message: str) -> None:
    with pytest.raises(kind) as wrong:
        parse_ps(ps_args)
    assert message in str(wrong.value)


def test_order_and_shape() -> None:
    assert parse_ps("aux --sort -rss,+pid").order == (("rss", True), ("pid", False))
    assert parse_ps("axk-pcpu").order == (("%cpu", True),)
    assert [parse_ps(text).indent for text in ("auxf", "-ef --forest", "-eH", "-ef")] == [FOREST, FOREST, HIERARCHY, ""]
    assert [parse_ps(text).threads for text in ("-eLf", "-T", "-ef")] == [True, True, False]
