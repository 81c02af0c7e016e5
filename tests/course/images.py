"""Stand-ins, made here, for the images that the course takes from a registry."""

from __future__ import annotations

from tests.support.engines import Havre
from tests.support.images import busybox_tar, with_files

_SERVE = "#!/bin/sh\nexec httpd -f -v -p 80 -h /usr/local/apache2/htdocs\n"
_STORE = "#!/bin/sh\ntouch /data/db/WiredTiger /data/db/mongod.lock /data/configdb/seen\nexec sleep 1000\n"
_PAGE = "<html><body><h1>It works!</h1></body></html>\n"


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
