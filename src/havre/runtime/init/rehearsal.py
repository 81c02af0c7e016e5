"""What a process goes through while it waits for its order, to have it behind itself when that comes.

A forked process pays for each page that it touches the first time: for six hundred on the way to a program, a third of
that way. Here it touches them ahead of need, with a process like the one that may come, on files that have no secrets,
and without joining, changing or keeping anything.
"""

import contextlib

from havre.base.errors import HavreError
from havre.kernel import capabilities
from havre.kernel.inroot import read_in_root
from havre.kernel.procfs import Proc
from havre.oci.runtime_spec import Process
from havre.runtime.errors import StepFailed
from havre.runtime.init.privileges import Privileges
from havre.runtime.init.program import Program
from havre.runtime.init.progress import STEPS, Progress
from havre.runtime.init.users import identify

_PASSWD, _GROUP = b"root:x:0:0:root:/root:/bin/sh\n", b"root:x:0:\n"
_ENOUGH = 1 << 16


def rehearse(process: Process, proc: Proc) -> None:
    """Do what leads to *process* as far as nobody notices. What fails is for the real way to meet, and to tell."""
    with contextlib.suppress(OSError, HavreError, StepFailed):
        _rehearse(process, proc)


def _rehearse(process: Process, proc: Proc) -> None:
    progress = Progress()
    for step in STEPS:
        progress.enter(step)
    progress.close()
    identity = identify("0", [], _PASSWD, _GROUP)
    Program(process.args, process.env, identity.home)
    Privileges(process, identity, b"", 0)
    capabilities.limit_bounding(capabilities.known())
    read_in_root(proc.fd, "version", _ENOUGH)
