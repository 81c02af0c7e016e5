"""A systemd-journald for tests: in a test host, in mounts of its own, with a folder of the test for its `/run`."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.hosts import Host

JOURNALD = Path("/lib/systemd/systemd-journald")
_DEADLINE_S = 60
# The kernel's messages and its auditing are the machine's, and left alone.
_SETTINGS = """[Journal]
Storage=volatile
RuntimeMaxUse=256M
RuntimeMaxFileSize=128M
RuntimeKeepFree=1M
RateLimitIntervalSec=0
ReadKMsg=no
Audit=
ForwardToSyslog=no
ForwardToKMsg=no
ForwardToConsole=no
ForwardToWall=no
"""

Entry = dict[str, str]


@dataclass(frozen=True)
class Journal:
    run: Path

    def before(self, command: Sequence[str]) -> list[str]:
        """The command line that runs *command* where this journal is the system's; its pid stays."""
        line = ["unshare", "--mount", "--propagation", "private", "sh", "-c", 'mount --bind "$0" /run && exec "$@"']
        return [*line, str(self.run), *command]

    def entries(self, *matches: str) -> list[Entry]:
        """What it has so far where all *matches* (`FIELD=value`) hold."""
        line = ["journalctl", "--directory", str(self.run / "log" / "journal"), "--quiet", "--all", "--output=json"]
        read = subprocess.run([*line, *matches], capture_output=True, timeout=_DEADLINE_S, check=True)
        return [json.loads(text) for text in read.stdout.splitlines()]

    def wait_entries(self, count: int, *matches: str) -> list[Entry]:
        """As `entries`, once there are *count* of them: it writes behind its socket."""
        deadline = time.monotonic() + _DEADLINE_S
        while len(found := self.entries(*matches)) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} entries of {matches}"
            time.sleep(0.05)
        return found

    def wait_listening(self, process: subprocess.Popen[bytes]) -> None:
        place, deadline = self.run / "systemd" / "journal" / "socket", time.monotonic() + _DEADLINE_S
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            while time.monotonic() < deadline:
                assert process.poll() is None, f"systemd-journald ended with {process.returncode}"
                with suppress(OSError):
                    own.connect(str(place))
                    return
                time.sleep(0.01)
        raise AssertionError("systemd-journald does not listen")


@contextmanager
def own_journal(host: Host, folder: Path) -> Iterator[Journal]:
    """A journal in *host*; *folder* keeps what its programs have under `/run`."""
    settings = folder / "systemd" / "journald.conf.d" / "test.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text(_SETTINGS)
    journal = Journal(folder)
    process = subprocess.Popen(host.enter(*journal.before([str(JOURNALD)])), stdin=subprocess.DEVNULL)
    try:
        journal.wait_listening(process)
        yield journal
    finally:
        process.terminate()
        process.wait(_DEADLINE_S)
