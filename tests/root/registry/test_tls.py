"""TLS: what is spoken, and certificates that change while the registry runs."""

from __future__ import annotations

import http.client
import signal
import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.fakes.certificates import Authority
from tests.support.oci_images import image
from tests.support.pushing import push
from tests.support.registries import HavreRegistry, running


class Secured(HavreRegistry):
    """A registry whose client speaks TLS and knows one authority."""

    context: ssl.SSLContext

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPSConnection(self.address, self.port, timeout=30, context=self.context)


def serial(registry: Secured) -> str:
    sock = socket.create_connection((registry.address, registry.port), 10)
    with registry.context.wrap_socket(sock, server_hostname=registry.address) as secured:
        found = secured.getpeercert()
    assert found is not None
    return str(found["serialNumber"])


def test_tls_and_a_new_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.issue_address("127.0.0.1")
    tls = {"certificate": str(certificate), "key": str(key)}
    registry = Secured(tmp_path / "one", {"http": {"tls": tls}})
    registry.context = ssl.create_default_context(cafile=str(authority.certificate))
    with running(registry):
        push(registry, "a/b", image(1, 3_000_000), "v1")
        assert registry.request("GET", "/v2/a/b/manifests/v1").status == 200
        before = serial(registry)
        assert registry.process is not None
        key.write_text("broken")
        registry.process.send_signal(signal.SIGHUP)
        _await_log(registry, "stays as it was")
        assert serial(registry) == before
        for path, fresh in zip((certificate, key), authority.issue_address("127.0.0.1"), strict=True):
            path.write_bytes(fresh.read_bytes())
        registry.process.send_signal(signal.SIGHUP)
        _await_log(registry, "read again")
        assert serial(registry) != before


def test_clients_need_a_certificate_where_that_is_asked(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.issue_address("127.0.0.1")
    tls = {"certificate": str(certificate), "key": str(key), "clientcas": [str(authority.certificate)]}
    registry = Secured(tmp_path / "one", {"http": {"tls": tls}})
    registry.context = ssl.create_default_context(cafile=str(authority.certificate))
    with running(registry):
        with pytest.raises(OSError, match=r"(?i)certificate|reset|closed"):
            registry.request("GET", "/v2/")
        registry.context.load_cert_chain(*authority.issue("client", client=True))
        assert registry.request("GET", "/v2/").status == 200


def _await_log(registry: HavreRegistry, text: str) -> None:
    deadline = time.monotonic() + 10
    while text not in registry.tail():
        assert time.monotonic() < deadline, registry.tail()
        time.sleep(0.01)
