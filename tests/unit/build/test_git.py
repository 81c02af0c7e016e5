"""Clones that must not be made, that are ended, and what a server is told of the client's secrets."""

from __future__ import annotations

import base64
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from havre.build.dockerfile.remotes import GitSource
from havre.build.git import Clone
from havre.build.model import BuildFailed, Lent

NOTHING = Lent()


@pytest.mark.parametrize("remote", ["ext::sh -c touch% /tmp/x", "file:///etc", "/etc", "ssh://h/::x"])
def test_addresses_that_are_commands_or_paths(tmp_path: Path, remote: str) -> None:
    with pytest.raises(BuildFailed, match="invalid git address"):
        Clone(GitSource(remote=remote), tmp_path, NOTHING).make()
    assert not list(tmp_path.iterdir())


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening


def test_a_clone_can_be_ended(tmp_path: Path, silent: socket.socket) -> None:
    address = f"git://127.0.0.1:{silent.getsockname()[1]}/r.git"
    clone = Clone(GitSource(remote=address), tmp_path, NOTHING)
    failures: list[BuildFailed] = []

    def make() -> None:
        try:
            clone.make()
        except BuildFailed as failed:
            failures.append(failed)

    thread = threading.Thread(target=make)
    thread.start()
    silent.settimeout(60)
    with closing(silent.accept()[0]) as connection:
        clone.stop()
        thread.join(60)
        assert not thread.is_alive()
        connection.settimeout(60)
        while connection.recv(4096):  # its end: no git is left that holds the other one
            pass
    assert len(failures) == 1
    with pytest.raises(BuildFailed, match="stopped"):
        clone.make()


class _Heard(http.server.BaseHTTPRequestHandler):
    headers_seen: list[str | None]

    def do_GET(self) -> None:
        self.headers_seen.append(self.headers.get("Authorization"))
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        pass


@pytest.mark.parametrize(
    ("secrets", "header"),
    [
        ({}, None),
        ({"GIT_AUTH_HEADER": b"basic abc\n"}, "basic abc"),
        ({"GIT_AUTH_TOKEN": b"tok\n"}, "basic " + base64.b64encode(b"x-access-token:tok").decode()),
        ({"GIT_AUTH_HEADER.127.0.0.1": b"own", "GIT_AUTH_HEADER": b"other"}, "own"),
        ({"GIT_AUTH_TOKEN.elsewhere": b"tok"}, None),
    ],
)
def test_secrets_for_the_server(tmp_path: Path, secrets: dict[str, bytes], header: str | None) -> None:
    heard: list[str | None] = []
    handler = type("Handler", (_Heard,), {"headers_seen": heard})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}/r.git"
            with pytest.raises(BuildFailed):
                Clone(GitSource(remote=address), tmp_path, Lent(secrets=secrets)).make()
        finally:
            server.shutdown()
            thread.join()
    assert heard[-1] == header
    assert not any(b"tok" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_what_git_says_is_kept_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose server talks without end."""
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec yes talk >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with pytest.raises(BuildFailed, match="talk\ntalk") as failed:
        Clone(GitSource(remote="https://127.0.0.1/r.git"), tmp_path / "clone", NOTHING).make()
    assert len(str(failed.value)) < 4096
