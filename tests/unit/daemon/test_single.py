"""E-17: two engines on one data folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from havre.base.errors import Conflict
from havre.daemon.single import lock_data_root, remove_pidfile, write_pidfile


def test_the_second_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    handle = lock_data_root(tmp_path / "data")
    with pytest.raises(Conflict, match=f"in use by another havred \\(process {os.getpid()}\\)"):
        lock_data_root(tmp_path / "data")
    os.close(handle)
    os.close(lock_data_root(tmp_path / "data"))


def test_the_lock_of_a_dead_process_does_not_block(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys; from havre.daemon.single import lock_data_root\n"
        "lock_data_root(pathlib.Path(sys.argv[1])); os._exit(9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env={"PYTHONPATH": ":".join(sys.path)}, check=False
    )
    assert done.returncode == 9
    os.close(lock_data_root(tmp_path))


def test_the_lock_is_not_inherited(tmp_path: Path) -> None:
    handle = lock_data_root(tmp_path)
    assert not os.get_inheritable(handle)
    os.close(handle)


def test_a_pidfile_of_somebody_else_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run" / "havred.pid"
    for content in ("", "1", "x", "999999999", str(os.getppid())):
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        write_pidfile(path)
        assert path.read_text() == str(os.getpid())
    remove_pidfile(path)
    assert not path.exists()
    path.write_text("1")
    remove_pidfile(path)
    assert path.exists()


def test_the_pidfile_of_a_daemon_that_runs_is_not(tmp_path: Path) -> None:
    path = tmp_path / "havred.pid"
    line = [sys.executable, "-c", "print(flush=True); input()", "havre.daemon.main"]
    other = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        other.stdout.readline()
        path.write_text(str(other.pid))
        with pytest.raises(Conflict, match=f"process with PID {other.pid} is still running"):
            write_pidfile(path)
    finally:
        other.communicate(b"\n")
