"""Images of real services, made of what Debian's packages put on this machine: redis, postgresql and nginx."""

from __future__ import annotations

from pathlib import Path

from tests.support.engines import Engine
from tests.support.images import with_files

_POSTGRES = "/usr/lib/postgresql/15"
_GROUPS = "root:x:0:\nnogroup:x:65534:\n"
_USERS = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
_LIBRARIES = ("plpgsql.so", "dict_snowball.so")
_SERVE_POSTGRES = f"""#!/bin/sh
set -e
[ -s "$PGDATA/PG_VERSION" ] || {_POSTGRES}/bin/initdb -D "$PGDATA" -A trust --no-sync >/dev/null
exec {_POSTGRES}/bin/postgres -D "$PGDATA" -k /tmp -c listen_addresses='*' -c fsync=off \\
    -c hba_file=/etc/hba.conf -c shared_buffers=16MB -c dynamic_shared_memory_type=mmap
"""
_NGINX = """daemon off; worker_processes 1; error_log stderr; pid /tmp/nginx.pid;
events { worker_connections 512; }
http {
    access_log off; client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f;
    uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
    resolver 127.0.0.11;
    server {
        listen 80;
        location / { return 200 "served by $hostname\\n"; }
        location ~ ^/of/([a-z0-9-]+)$ { proxy_pass http://$1/; }
    }
}
"""


def provide(engine: Engine) -> None:
    """Make the images `redis`, `postgres` (without passwords) and `nginx` (`/of/NAME` shows what NAME serves)."""
    redis = with_files({}, programs=("/usr/bin/redis-server", "/usr/bin/redis-cli"))
    _make(engine, "redis", redis, 'CMD ["redis-server", "--protected-mode", "no", "--save", ""]', "EXPOSE 6379")
    files: dict[str, bytes | str] = {
        "bin/serve": _SERVE_POSTGRES,
        "etc/hba.conf": "local all all trust\nhost all all all trust\n",
        "etc/passwd": "root:x:0:0::/root:/bin/sh\npostgres:x:999:999::/tmp:/bin/sh\n",
        "tmp/.keep": "",
    }
    files |= {f"{_POSTGRES[1:]}/lib/{name}": Path(_POSTGRES, "lib", name).read_bytes() for name in _LIBRARIES}
    programs = tuple(f"{_POSTGRES}/bin/{name}" for name in ("postgres", "initdb", "psql"))
    postgres = with_files(files, programs=programs, folders=("/usr/share/postgresql/15",))
    _make(engine, "postgres", postgres, 'CMD ["serve"]', "USER postgres", "ENV PGDATA=/tmp/data", "EXPOSE 5432")
    files = {"etc/nginx/nginx.conf": _NGINX, "etc/passwd": _USERS, "etc/group": _GROUPS}
    nginx = with_files(files, programs=("/usr/sbin/nginx",))
    _make(engine, "nginx", nginx, 'CMD ["nginx", "-e", "stderr", "-c", "/etc/nginx/nginx.conf"]', "EXPOSE 80")


def _make(engine: Engine, name: str, rootfs: bytes, *changes: str) -> None:
    path = "ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin:" + _POSTGRES + "/bin"
    flags = [word for change in (path, *changes) for word in ("-c", change)]
    engine.docker("import", *flags, "-", name, stdin=rootfs, check=True)
