"""TLS towards registries: the system's authorities, and per host those of `certs.d`, as docker reads it.

`certs.d/HOST[:PORT]/` holds `*.crt` (authorities), and `*.cert` with `*.key` (who we are).
"""

import ssl
from collections.abc import Iterator
from pathlib import Path

from havre.base.errors import InvalidInput


def context_for(host: str, folders: tuple[Path, ...], *, verify: bool) -> ssl.SSLContext:
    """The context for connections to *host* (with its port); blocks. Raises InvalidInput for unusable files."""
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for file in _files(host, folders):
        try:
            if file.suffix == ".crt":
                context.load_verify_locations(file)
            elif file.suffix == ".cert":
                context.load_cert_chain(file, _key_of(file))
        except (OSError, ssl.SSLError) as error:
            raise InvalidInput(f"cannot use {file} for registry {host}: {error}") from error
    return context


def fingerprint(host: str, folders: tuple[Path, ...]) -> tuple[tuple[Path, int], ...]:
    """What changes when the files for *host* do; blocks."""
    return tuple((file, file.stat().st_mtime_ns) for file in _files(host, folders))


def _files(host: str, folders: tuple[Path, ...]) -> Iterator[Path]:
    if "/" in host or host.startswith("."):
        return
    for folder in folders:
        own = folder / host
        if own.is_dir():
            yield from sorted(own.iterdir())


def _key_of(certificate: Path) -> Path:
    key = certificate.with_suffix(".key")
    if not key.exists():
        raise InvalidInput(f"missing key {key.name} for client certificate {certificate.name}")
    return key
