"""What the daemon was told about registries."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

CERTIFICATE_FOLDERS: Final = (Path("/etc/havre/certs.d"), Path("/etc/docker/certs.d"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """*mirrors* are URLs for Docker Hub, or `PREFIX=URL` for any registry and what lies below it.

    *insecure* are hosts or address ranges that may be spoken to without TLS or with a certificate nobody knows. Each
    request is tried *attempts* times, with pauses that grow from *pause_s*; an answer that brings less than a KiB in
    *stall_s* counts as broken.
    """

    mirrors: tuple[str, ...] = ()
    insecure: tuple[str, ...] = ()
    certificates: tuple[Path, ...] = CERTIFICATE_FOLDERS
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: str = ""
    attempts: int = 5
    pause_s: float = 1.0
    stall_s: float = 60.0
    downloads: int = 3
    uploads: int = 5
