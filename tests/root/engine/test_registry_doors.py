"""How registries are reached, and left: TLS and client certificates, tokens of our own server, mirrors, cancelling."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.certificates import Authority
from tests.support.debian_registry import Registry
from tests.support.debian_registry import running as serving
from tests.support.engines import PYTHON, Havre, running
from tests.support.hosts import Host, wait_listening
from tests.support.http import UnixConnection
from tests.support.registries import HavreRegistry, htpasswd

pytestmark = pytest.mark.root

ADDRESS = "10.99.7.1"


class WithFolder(Havre):
    """A havred that sees a folder of the test at /etc/docker."""

    def command(self) -> list[str]:
        self.certificates.mkdir(parents=True, exist_ok=True)
        script = 'mount --bind "$0" /etc/docker && exec "$@"'
        return ["unshare", "-m", "sh", "-c", script, str(self.certificates.parent), PYTHON, "-m", "havre.daemon.main"]

    @property
    def certificates(self) -> Path:
        return self.folder / "etc/certs.d"


@pytest.fixture
def engine(host: Host, tmp_path: Path, rootfs_tar: bytes) -> Iterator[WithFolder]:
    host.run("ip", "link", "add", "outside", "type", "bridge")
    host.run("ip", "address", "add", f"{ADDRESS}/24", "dev", "outside")
    host.run("ip", "link", "set", "outside", "up")
    made = WithFolder(host, tmp_path / "hv")
    with running(made):
        made.docker("import", "-", "busybox", stdin=rootfs_tar, check=True)
        yield made


def said(engine: Havre, *words: str) -> str:
    done = engine.docker(*words)
    return (done.stdout + done.stderr).decode()


def test_tls_with_an_authority_and_a_client_certificate(engine: WithFolder, host: Host, tmp_path: Path) -> None:
    authority, clients = Authority(tmp_path / "ca"), Authority(tmp_path / "clients")
    certificate, key = authority.issue_address(ADDRESS)
    tls = {"certificate": str(certificate), "key": str(key), "clientcas": [str(clients.certificate)]}
    config = {"http": {"addr": f"{ADDRESS}:5443", "tls": tls}}
    folder = engine.certificates / f"{ADDRESS}:5443"
    name = f"{ADDRESS}:5443/x:1"
    engine.docker("tag", "busybox", name, check=True)
    registry = Registry(host, tmp_path / "registry", 5443, config)
    registry.address = ADDRESS
    with serving(registry):
        assert "certificate" in said(engine, "push", name)
        folder.mkdir(parents=True)
        shutil.copy(authority.certificate, folder / "ca.crt")
        assert "digest: sha256:" not in said(engine, "push", name)
        ours, secret = clients.issue("us", client=True)
        shutil.copy(ours, folder / "client.cert")
        assert "missing key client.key" in said(engine, "pull", name)
        shutil.copy(secret, folder / "client.key")
        assert "digest: sha256:" in said(engine, "push", name)
        engine.docker("rmi", name, check=True)
        assert "Status: " in said(engine, "pull", name)


def test_plain_only_where_it_is_allowed(engine: WithFolder, host: Host, tmp_path: Path) -> None:
    name = f"{ADDRESS}:5000/x:1"
    engine.docker("tag", "busybox", name, check=True)
    registry = Registry(host, tmp_path / "registry", 5000, {"http": {"addr": f"{ADDRESS}:5000"}})
    registry.address = ADDRESS
    with serving(registry):
        assert "digest: sha256:" not in said(engine, "push", name)
        engine.stop()
        engine.extra = ["--insecure-registry", "10.99.0.0/16"]
        engine.start()
        assert "digest: sha256:" in said(engine, "push", name)


@contextmanager
def forwarding(host: Host, log: Path) -> Iterator[None]:
    """A proxy on port 3128 of *host* that finds every name at ADDRESS."""
    line = host.enter(PYTHON, "-m", "tests.support.forward_proxy", "3128", ADDRESS, str(log))
    process = subprocess.Popen(line, cwd=Path(__file__).parents[3])
    try:
        wait_listening(host, 3128)
        yield
    finally:
        process.kill()
        process.wait(30)


def test_registries_behind_a_proxy(engine: WithFolder, host: Host, tmp_path: Path) -> None:
    """Their names are known to the proxy alone; one speaks TLS, the other does not."""
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("secret.test", client=False)
    tls = {"certificate": str(certificate), "key": str(key)}
    folder, log = engine.certificates / "secret.test:5443", tmp_path / "log"
    folder.mkdir(parents=True)
    shutil.copy(authority.certificate, folder / "ca.crt")
    engine.stop()
    proxies = ["--http-proxy", "http://127.0.0.1:3128", "--https-proxy", "http://127.0.0.1:3128"]
    engine.extra = [*proxies, "--insecure-registry", "plain.test:5000"]
    engine.start()
    plain = Registry(host, tmp_path / "plain", 5000, {"http": {"addr": f"{ADDRESS}:5000"}})
    secret = Registry(host, tmp_path / "secret", 5443, {"http": {"addr": f"{ADDRESS}:5443", "tls": tls}})
    plain.address = secret.address = ADDRESS
    with serving(plain), serving(secret), forwarding(host, log):
        for name in ("plain.test:5000/x:1", "secret.test:5443/x:1"):
            engine.docker("tag", "busybox", name, check=True)
            assert "digest: sha256:" in said(engine, "push", name)
            engine.docker("rmi", name, check=True)
            assert "Status: " in said(engine, "pull", name)
    asked = log.read_text()
    assert "GET http://plain.test:5000/v2/x/manifests/1 HTTP/1.1" in asked
    assert "CONNECT secret.test:5443 HTTP/1.1" in asked


def test_tokens_of_our_own_server(engine: WithFolder, host: Host, tmp_path: Path) -> None:
    users = htpasswd(tmp_path / "users", {"ann": "pw"})
    config = {"auth": {"token": {"htpasswd": str(users)}}}
    registry = HavreRegistry(tmp_path / "ours", config, host)
    registry.command = lambda: [  # type: ignore[method-assign]
        *(sys.executable, "-m", "havre.daemon.registry_main", "--addr", f"127.0.0.1:{registry.port}"),
        *("--root", str(registry.root), "--htpasswd", str(users), "--token-service"),
    ]
    registry.start()
    try:
        name = f"127.0.0.1:{registry.port}/ann/x:1"
        engine.docker("tag", "busybox", name, check=True)
        assert "digest: sha256:" not in said(engine, "push", name)
        done = engine.docker("login", "-u", "ann", "--password-stdin", registry.domain, stdin=b"pw")
        assert done.returncode == 0, done.stderr
        assert "digest: sha256:" in said(engine, "push", name)
        engine.docker("rmi", name, check=True)
        assert "Status: " in said(engine, "pull", name)
        assert engine.docker("logout", registry.domain).returncode == 0
        assert engine.docker("login", "-u", "ann", "--password-stdin", registry.domain, stdin=b"no").returncode == 1
    finally:
        registry.stop()


def test_a_mirror_of_any_registry(engine: WithFolder, host: Host, tmp_path: Path) -> None:
    """`PREFIX=URL` in daemon.json: the registry itself need not even be there."""
    with serving(Registry(host, tmp_path / "registry", 5000)) as registry:
        copy = f"{registry.name}/copies/app:1"
        engine.docker("tag", "busybox", copy, check=True)
        assert "digest: sha256:" in said(engine, "push", copy)
        engine.docker("rmi", copy, check=True)
        engine.stop()
        engine.extra = ["--registry-mirror", f"far.example/org=http://{registry.name}/copies"]
        engine.start()
        assert "Status: " in said(engine, "pull", "far.example/org/app:1")
        assert engine.out("run", "--rm", "--network", "none", "far.example/org/app:1", "echo", "hi") == "hi"


def test_a_client_that_leaves_ends_its_pull(engine: WithFolder, host: Host, tmp_path: Path) -> None:
    silent = tmp_path / "silent.py"
    silent.write_text(
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 5009))\n"
        "held = []\n"
        "while True:\n"
        "    held.append(server.accept()[0])\n"
        "    print(len(held), flush=True)\n"
    )
    server = subprocess.Popen(host.enter(sys.executable, str(silent)), stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        deadline = time.monotonic() + 20
        while host.run("ss", "-ltn").stdout.count(":5009") == 0:
            assert time.monotonic() < deadline
        connection = UnixConnection(engine.socket, 30)
        connection.request("POST", "/v1.41/images/create?fromImage=127.0.0.1:5009/x&tag=1")
        assert server.stdout.readline()
        connection.close()
        deadline = time.monotonic() + 20
        while host.run("ss", "-tn", "state", "established", "dport", "=", ":5009").stdout.count(":5009"):
            assert time.monotonic() < deadline, "the pull goes on"
            time.sleep(0.05)
    finally:
        server.kill()
        server.communicate()
