from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from havre.cli.credentials import HUB, Credentials, CredentialStore, server_key, server_of
from havre.cli.docker_config import DockerConfig
from havre.client.errors import ClientError

_HELPER = """#!/usr/bin/env python3
import json, pathlib, sys
store = pathlib.Path(__file__).with_name("secrets.json")
known = json.loads(store.read_text()) if store.exists() else {}
text = sys.stdin.read()
if sys.argv[1] == "store":
    given = json.loads(text)
    known[given["ServerURL"]] = given
elif sys.argv[1] == "erase":
    known.pop(text, None)
elif text in known:
    print(json.dumps(known[text]))
else:
    print("credentials not found in native keychain")
    sys.exit(1)
store.write_text(json.dumps(known))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


@pytest.fixture
def helper(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = folder / "docker-credential-mine"
    program.write_text(_HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return program


def write(folder: Path, document: object) -> None:
    (folder / "config.json").write_text(json.dumps(document))


def pair(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("image", "server"),
    [
        ("busybox", HUB),
        ("library/busybox:1", HUB),
        ("docker.io/x", HUB),
        ("localhost/x", "localhost"),
        ("localhost:5000/x:1", "localhost:5000"),
        ("ghcr.io/a/b@sha256:0", "ghcr.io"),
        ("a/b", HUB),
    ],
)
def test_whom_an_image_means(image: str, server: str) -> None:
    assert server_of(image) == server


@pytest.mark.parametrize(
    ("typed", "key"),
    [("", HUB), ("https://index.docker.io/v1/", HUB), ("r:5000", "r:5000"), ("https://r:5000/v2/", "r:5000")],
)
def test_what_a_server_is_called(typed: str, key: str) -> None:
    assert server_key(typed) == key


def test_nobody_is_known(folder: Path) -> None:
    found = CredentialStore().find("r:1")
    assert (found.known, found.header()) == (False, "e30=")


@pytest.mark.parametrize("key", ["r:1", "https://r:1", "https://r:1/v2/"])
def test_the_file(folder: Path, key: str) -> None:
    write(folder, {"auths": {key: {"auth": pair("ann:a:b")}}, "HttpHeaders": {"X": "y"}})
    found = CredentialStore().find("r:1")
    assert (found.username, found.password) == ("ann", "a:b")
    assert json.loads(base64.urlsafe_b64decode(found.header()))["serveraddress"] == "r:1"


def test_what_is_kept_and_forgotten(folder: Path) -> None:
    write(folder, {"HttpHeaders": {"X": "y"}, "auths": {"https://old/v1/": {"auth": pair("o:o")}}})
    CredentialStore().keep(Credentials("r:1", "ann", "pw"))
    CredentialStore().keep(Credentials("t", "bob", "", "token"))
    document = json.loads((folder / "config.json").read_text())
    assert document["HttpHeaders"] == {"X": "y"}
    assert document["auths"]["r:1"] == {"auth": pair("ann:pw")}
    assert CredentialStore().find("t").identity_token == "token"  # noqa: S105  a word
    assert (folder / "config.json").stat().st_mode & 0o777 == 0o600
    CredentialStore().forget("old")
    CredentialStore().forget("r:1")
    CredentialStore().forget("never")
    assert list(json.loads((folder / "config.json").read_text())["auths"]) == ["t"]


def test_a_link_stays_one(folder: Path) -> None:
    (folder / "real.json").write_text("{}")
    (folder / "config.json").symlink_to("real.json")
    CredentialStore().keep(Credentials("r:1", "ann", "pw"))
    assert (folder / "config.json").is_symlink()
    assert "r:1" in json.loads((folder / "real.json").read_text())["auths"]


@pytest.mark.parametrize("settings", [{"credsStore": "mine"}, {"credHelpers": {"r:1": "mine"}}])
def test_a_helper(folder: Path, helper: Path, settings: dict[str, object]) -> None:
    write(folder, settings)
    assert not CredentialStore().find("r:1").known
    CredentialStore().keep(Credentials("r:1", "ann", "pw"))
    document = json.loads((folder / "config.json").read_text())
    assert document["auths"] == {"r:1": {}}
    assert "pw" not in (folder / "config.json").read_text()
    found = CredentialStore().find("r:1")
    assert (found.username, found.password) == ("ann", "pw")
    assert CredentialStore().all()["r:1"]["username"] == "ann"
    CredentialStore().keep(Credentials("r:1", "ann", "", "it"))
    assert CredentialStore().find("r:1").identity_token == "it"  # noqa: S105  a word
    CredentialStore().forget("r:1")
    assert not CredentialStore().find("r:1").known


@pytest.mark.parametrize("name", ["nosuch", "../evil", "failing"])
def test_helpers_that_fail(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    program = folder / "docker-credential-failing"
    program.write_text("#!/bin/sh\necho broken\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    write(folder, {"credsStore": name})
    with pytest.raises(ClientError):
        CredentialStore().find("r:1")


@pytest.mark.parametrize("text", ["[]", "{", '{"auths": {"r:1": {"auth": "!"}}}'])
def test_files_that_are_none(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(ClientError):
        CredentialStore().find("r:1")


def test_another_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"credsStore": "x"}')
    assert DockerConfig(str(tmp_path)).text("credsStore") == "x"
