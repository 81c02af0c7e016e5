"""A program that bears a container as the OCI command does: it stops before execve until somebody connects."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from havre.kernel.cgroups import open_cgroups
from havre.kernel.channel import Channel, ChannelClosed, connect, listen
from havre.kernel.procfs import open_mounted_proc
from havre.runtime.bundle import Bundle
from havre.runtime.init.progress import Progress
from havre.runtime.messages import decode_from_init
from havre.runtime.spawn import Order, spawn


def main() -> None:
    bundle = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Bundle)
    cgroups = open_cgroups()
    address = Path(sys.argv[1]).with_suffix(".go")
    go = listen(address)
    birth = spawn(Order(bundle, (0, 1, 2), cgroups, open_mounted_proc(), Progress(), go=go))
    while not birth.step():
        pass
    if birth.failure is not None:
        print("create:", birth.failure.message, flush=True)
        birth.bury()
    else:
        print("ready", birth.ready, Path(f"/proc/{birth.pid}/cmdline").read_bytes().count(b"\0") > 0, flush=True)
        go.close()
        line = Channel(connect(address))
        try:
            data, _ = line.receive()
            print("start:", decode_from_init(data), flush=True)
        except ChannelClosed:
            pass
        print("code", os.waitstatus_to_exitcode(os.waitpid(birth.pid, 0)[1]), flush=True)
        birth.close()
    path = bundle.spec.linux.cgroups_path if bundle.spec.linux else ""
    cgroups.remove(path)


main()
