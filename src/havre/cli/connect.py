"""Which daemon a command line means: --host, --tls*, else the environment, else this machine's own."""

from __future__ import annotations

import os

from havre.cli.flags import Given
from havre.client.client import Client
from havre.client.connection import TlsFiles
from havre.client.errors import ClientError


def client_for(top: Given) -> Client:
    """A client that has not connected yet. Raises ClientError for flags that contradict each other."""
    hosts = top.many("host")
    context = top.text("context")
    if len(hosts) > 1:
        raise ClientError("Specify only one -H")
    if context not in ("", "default"):
        raise ClientError(f'context "{context}": context not found: Havre keeps no contexts; use --host')
    host = hosts[0] if hosts else ""
    if host and "://" not in host:
        host = f"tcp://{host}"
    return Client.at(host, _tls(top))


def _tls(top: Given) -> TlsFiles | None:
    verify = top.switch("tlsverify") or bool(os.environ.get("DOCKER_TLS_VERIFY"))
    if not (verify or top.switch("tls") or os.environ.get("DOCKER_TLS")):
        return None
    folder = os.environ.get("DOCKER_CERT_PATH") or os.path.expanduser("~/.docker")
    return TlsFiles(
        top.text("tlscacert") or f"{folder}/ca.pem",
        top.text("tlscert") or f"{folder}/cert.pem",
        top.text("tlskey") or f"{folder}/key.pem",
        verify=verify,
    )
