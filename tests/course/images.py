"""Stand-ins, made here, for the images that the course takes from a registry."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from pathlib import Path

from tests.support.engines import Havre
from tests.support.images import busybox_tar

_SERVE = "#!/bin/sh\nexec httpd -f -v -p 80 -h /usr/local/apache2/htdocs\n"
_STORE = "#!/bin/sh\ntouch /data/db/WiredTiger /data/db/mongod.lock /data/configdb/seen\nexec sleep 1000\n"
_PAGE = "<html><body><h1>It works!</h1></body></html>\n"


def with_files(files: dict[str, bytes | str], *, programs: tuple[str, ...] = ()) -> bytes:
    """A root folder of busybox with further *files* (scripts are executable), and programs of this machine."""
    found: dict[str, bytes] = {name: data.encode() if isinstance(data, str) else data for name, data in files.items()}
    for program in programs:
        found[program.removeprefix("/")] = Path(program).read_bytes()
        listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            found[library.removeprefix("/")] = Path(library).read_bytes()
    buffer = io.BytesIO(busybox_tar())
    buffer.seek(0)
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        for name, data in found.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755 if data[:2] in {b"#!", b"\x7fE"} or ".so" in name else 0o644
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def provide(engine: Havre) -> None:
    """Make the images centos, alpine, httpd, nginx, mongo:4.0 and debian."""
    centos = with_files(
        {"etc/os-release": 'NAME="CentOS Linux"\n', "etc/redhat-release": "CentOS Linux release 8.1.1911 (Core)\n"},
        programs=("/bin/bash",),
    )
    pages = with_files(
        {"usr/local/apache2/htdocs/index.html": _PAGE, "bin/httpd-foreground": _SERVE}, programs=("/bin/bash",)
    )
    store = with_files({"bin/mongod": _STORE, "data/db/.keep": "", "data/configdb/.keep": ""})
    shell, serve = 'CMD ["/bin/bash"]', 'CMD ["httpd-foreground"]'
    make(engine, "centos", centos, shell)
    make(engine, "debian", centos, shell)
    make(engine, "alpine", busybox_tar(), 'CMD ["/bin/sh"]')
    make(engine, "httpd", pages, serve, "EXPOSE 80", "WORKDIR /usr/local/apache2")
    make(engine, "nginx", pages, serve, "EXPOSE 80")
    make(engine, "mongo:4.0", store, 'CMD ["mongod"]', "EXPOSE 27017", 'VOLUME ["/data/db", "/data/configdb"]')


def make(engine: Havre, name: str, rootfs: bytes, *changes: str) -> None:
    flags = [word for change in changes for word in ("-c", change)]
    engine.docker("import", *flags, "-", name, stdin=rootfs, check=True)
