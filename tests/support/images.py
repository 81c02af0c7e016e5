"""Images for tests, made from Debian's static busybox: a tar of a root folder, built once a run."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
_USERS = """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1::/usr/sbin:/bin/false
alice:x:1000:1000::/home/alice:/bin/sh
"""
_GROUP = "root:x:0:\ndaemon:x:1:\nalice:x:1000:\nstaff:x:50:alice\naudio:x:29:alice\n"


def busybox_tar() -> bytes:
    """A root folder with busybox and all its applets, passwd, group and an empty /tmp."""
    applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder, mode in (
            ("bin", 0o755),
            ("etc", 0o755),
            ("root", 0o700),
            ("tmp", 0o1777),
            ("home/alice", 0o755),
            ("var", 0o755),
        ):
            _add(archive, folder, kind=tarfile.DIRTYPE, mode=mode)
        _add(archive, "bin/busybox", data=BUSYBOX.read_bytes(), mode=0o755)
        for applet in applets:
            if applet != "busybox":
                _add(archive, f"bin/{applet}", kind=tarfile.SYMTYPE, link="busybox", mode=0o777)
        _add(archive, "etc/passwd", data=_USERS.encode())
        _add(archive, "etc/group", data=_GROUP.encode())
    return buffer.getvalue()


def _add(
    archive: tarfile.TarFile,
    name: str,
    *,
    kind: bytes = tarfile.REGTYPE,
    data: bytes = b"",
    mode: int = 0o644,
    link: str = "",
) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.linkname, member.size = kind, mode, link, len(data)
    archive.addfile(member, io.BytesIO(data))
