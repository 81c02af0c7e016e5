"""Images for tests, made from Debian's static busybox: a tar of a root folder, built once a run."""

from __future__ import annotations

import io
import re
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


def with_files(
    files: dict[str, bytes | str], *, programs: tuple[str, ...] = (), folders: tuple[str, ...] = ()
) -> bytes:
    """A root folder of busybox with further *files* (scripts are executable), and this machine's *programs* with what
    they link to, and *folders*, in their places; libraries in those folders bring theirs along."""
    found: dict[str, bytes] = {name: data.encode() if isinstance(data, str) else data for name, data in files.items()}
    inside = [path for folder in folders for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    found |= {str(path).removeprefix("/"): path.read_bytes() for path in inside}
    for program in [*programs, *(str(path) for path in inside if path.suffix == ".so")]:
        found[program.removeprefix("/")] = Path(program).read_bytes()
        listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            found[library.removeprefix("/")] = Path(library).read_bytes()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive, tarfile.open(fileobj=io.BytesIO(busybox_tar())) as base:
        for member in base:
            if member.name not in found:  # dockerd takes no name twice
                archive.addfile(member, base.extractfile(member) if member.isreg() else None)
        for name, data in found.items():
            executable = data[:2] in {b"#!", b"\x7fE"} or ".so" in name
            _add(archive, name, data=data, mode=0o755 if executable else 0o644)
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
