from __future__ import annotations

import os
import subprocess
import threading

from havre.engine.processes import read_process
from havre.engine.ps_words import KINDS, parse_ps
from havre.engine.top import process_table


def test_this_very_process() -> None:
    table = process_table(parse_ps("-o pid,ppid,comm,args,user,tty,stat,time,etime,vsz,rss,%mem"), [os.getpid()])
    (row,) = table.get("Processes") or []
    assert row[:2] == [str(os.getpid()), str(os.getppid())]
    assert "python" in row[3] or "pytest" in row[3]
    for ps_args in ("-ef", "aux", "-l", "-j", f"-o {','.join(sorted(KINDS))}"):
        (row,) = process_table(parse_ps(ps_args), [os.getpid()]).get("Processes") or []
        assert len(row) == len(parse_ps(ps_args).columns)
        assert all(row)


def test_what_is_gone_is_left_out() -> None:
    assert read_process(2**22 + 5) is None
    assert process_table(parse_ps("-ef"), [2**22 + 5]).get("Processes") == []


def test_children_stand_behind_their_parents() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        pids = [child.pid, os.getpid()]
        rows = process_table(parse_ps("-o pid,args --forest"), pids).get("Processes") or []
        again = process_table(parse_ps("-o pid --sort=-pid"), pids).get("Processes") or []
    assert [row[0] for row in rows] == [str(os.getpid()), str(child.pid)]
    assert rows[1][1].startswith(r" \_ ")
    assert [int(pid) for (pid,) in again] == sorted(pids, reverse=True)


def test_each_thread_has_its_row() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait, daemon=True)
    thread.start()
    rows = process_table(parse_ps("-eLf"), [os.getpid()]).get("Processes") or []
    done.set()
    assert {(str(os.getpid()), str(number)) for number in (os.getpid(), thread.native_id)} <= {
        (row[1], row[3]) for row in rows
    }
    thread.join()
