"""The foreground: an exit code, signals passed on, and the bytes of a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from havre.kernel.process import pidfd_open
from havre.runtime.oci_cli.terminal import held_signals, wait_for
from tests.support.handles import handles

WAIT = """
import os, signal, sys
from havre.kernel.process import pidfd_open
from havre.runtime.oci_cli.terminal import held_signals, wait_for
with held_signals() as alarms:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", sys.argv[1]], {"PATH": "/bin:/usr/bin"}, setsigmask=())
    sys.exit(wait_for(pid, pidfd_open(pid), -1, alarms))
"""


def foreground(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WAIT, script], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -9 $$", 137), ("true", 0)])
def test_the_end_is_the_child_s(script: str, code: int) -> None:
    with foreground(script) as process:
        assert process.wait(30) == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR2])
def test_signals_reach_the_child(number: signal.Signals) -> None:
    name = number.name.removeprefix("SIG")
    with foreground(f"trap 'exit 9' {name}; echo ready; while :; do sleep 0.01; done") as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(30) == 9


def test_handlers_are_as_before_afterwards() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGWINCH)]
    descriptors = handles()
    with held_signals() as alarms:
        pid = os.fork()
        if pid == 0:
            os._exit(3)
        handle = pidfd_open(pid)
        assert wait_for(pid, handle, -1, alarms) == 3
        os.close(handle)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGWINCH)] == before
    assert handles() <= descriptors
