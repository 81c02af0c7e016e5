"""What /proc tells of a process or of a thread."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Process:
    """One process, or one thread of it; times in clock ticks, memory in KiB."""

    pid: int
    thread: int
    ppid: int
    pgid: int
    sid: int
    tpgid: int
    tty: int
    state: str
    comm: str
    args: str
    uid: int
    gid: int
    real_uid: int
    real_gid: int
    cpu_ticks: int
    start_ticks: int
    priority: int
    nice: int
    threads: int
    size_kib: int
    code_kib: int
    resident_kib: int
    minor_faults: int
    major_faults: int
    processor: int
    realtime: int
    policy: int
    locked: bool


def read_process(pid: int, thread: int = 0) -> Process | None:
    """One process, or its *thread*; None when it is gone."""
    folder = PROC / str(pid)
    try:
        raw = (folder / "task" / str(thread) / "stat" if thread else folder / "stat").read_bytes()
        status = (folder / "status").read_bytes()
        line = (folder / "cmdline").read_bytes()
    except OSError:
        return None
    # The name may hold spaces and brackets; what follows the last bracket may not: proc(5).
    head, _, rest = raw.rpartition(b")")
    comm = head.partition(b"(")[2].decode(errors="replace")
    fields = rest.split()
    args = " ".join(part.decode(errors="replace") for part in line.rstrip(b"\0").split(b"\0"))
    words = dict(entry.split(b":", 1) for entry in status.splitlines() if b":" in entry)
    users, groups = words[b"Uid"].split(), words[b"Gid"].split()
    return Process(
        pid=pid,
        thread=thread or pid,
        ppid=int(fields[1]),
        pgid=int(fields[2]),
        sid=int(fields[3]),
        tty=int(fields[4]),
        tpgid=int(fields[5]),
        state=fields[0].decode(),
        comm=comm,
        args=args or f"[{comm}]",
        uid=int(users[1]),
        gid=int(groups[1]),
        real_uid=int(users[0]),
        real_gid=int(groups[0]),
        minor_faults=int(fields[7]),
        major_faults=int(fields[9]),
        cpu_ticks=int(fields[11]) + int(fields[12]),
        priority=int(fields[15]),
        nice=int(fields[16]),
        threads=int(fields[17]),
        start_ticks=int(fields[19]),
        size_kib=int(fields[20]) >> 10,
        resident_kib=int(fields[21]) * PAGE_BYTES >> 10,
        code_kib=max(0, int(fields[24]) - int(fields[23])) >> 10,
        processor=int(fields[36]),
        realtime=int(fields[37]),
        policy=int(fields[38]),
        locked=words.get(b"VmLck", b"0").split()[0] != b"0",
    )


def threads_of(pid: int) -> list[int]:
    """The threads of a process; none when it is gone."""
    try:
        return sorted(int(folder.name) for folder in (PROC / str(pid) / "task").iterdir())
    except OSError:
        return []


def line_of(process: Process, file: str) -> str:
    """What a file of the process tells, lines joined by commas; `-` when it tells nothing."""
    try:
        text = (PROC / str(process.pid) / file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "-"
    return ",".join(text.strip("\0\n").splitlines()) or "-"
