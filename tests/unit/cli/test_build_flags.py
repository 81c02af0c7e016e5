"""`havre build`: its flags as a query, what it lends, where it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from havre.cli.build_flags import FLAGS, csv_fields, query_of
from havre.cli.build_lending import _agent, _secret
from havre.cli.build_outputs import keeps_image, outputs_of
from havre.cli.build_sources import is_git
from havre.cli.flags import Given, parse
from havre.cli.git_context import _check, _inside
from havre.client.errors import ClientError


def given(*words: str) -> Given:
    return parse(list(words), FLAGS)


def query(*words: str) -> dict[str, str]:
    return dict(query_of(given(*words)))


def test_nothing_asked_for_is_nothing_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert query_of(given(".")) == []


def test_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_HERE", "v")
    monkeypatch.delenv("NOT_HERE", raising=False)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "5")
    found = query(
        *("--build-arg", "A=1", "--build-arg", "FROM_HERE", "--build-arg", "NOT_HERE", "--label", "l=a=b"),
        *("--add-host", "h=1.2.3.4", "-m", "1k", "--memory-swap", "-1", "--shm-size", "2m", "--ulimit", "nofile=1:2"),
        *("--network", "none", "--target", "t", "--no-cache", "--pull", "--squash", "--platform", "linux/amd64"),
    )
    assert json.loads(found.pop("buildargs")) == {"A": "1", "FROM_HERE": "v", "SOURCE_DATE_EPOCH": "5"}
    assert json.loads(found.pop("labels")) == {"l": "a=b"}
    assert json.loads(found.pop("ulimits")) == [{"Name": "nofile", "Hard": 2, "Soft": 1}]
    assert found == {
        "extrahosts": "h:1.2.3.4", "memory": "1024", "memswap": "-1", "shmsize": "2097152", "networkmode": "none",
        "target": "t", "nocache": "1", "pull": "1", "squash": "1", "platform": "linux/amd64",
    }  # fmt: skip


def test_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_bytes(b"x\0")
    monkeypatch.setenv("TOKEN", "t")
    assert _secret(f"id=a,src={tmp_path}/f") == ("a", "eAA=")
    assert _secret("id=a,env=TOKEN") == ("a", "dA==")
    assert _secret("id=TOKEN") == ("TOKEN", "dA==")
    assert _secret("id=TOKEN,type=env") == ("TOKEN", "dA==")


@pytest.mark.parametrize("value", ["src=/x", "id=a,what=x", "id=a,src=/no/such/file", "id"])
def test_bad_secrets(value: str) -> None:
    with pytest.raises(ClientError):
        _secret(value)


def test_an_agent_is_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").touch()
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(ClientError, match="SSH_AUTH_SOCK"):
        _agent("default")
    with pytest.raises(ClientError, match="is no socket"):
        _agent(f"default={tmp_path}/key")


@pytest.mark.parametrize(
    ("words", "kind", "dest", "push"),
    [
        (["-o", "out"], "local", "out", False),
        (["-o", "-"], "tar", "-", False),
        (["-o", "type=tar,dest=x.tar"], "tar", "x.tar", False),
        (["-o", "type=oci"], "oci", "-", False),
        (["-o", "type=image,push=true"], "image", "", True),
        (["--push"], "registry", "", True),
    ],
)
def test_outputs(words: list[str], kind: str, dest: str, push: bool) -> None:  # noqa: FBT001
    (one,) = outputs_of(given(*words))
    assert (one.kind, one.dest, one.push) == (kind, dest, push)


def test_the_image_stays_unless_only_its_files_were_wanted() -> None:
    assert keeps_image([], [])
    assert not keeps_image(outputs_of(given("-o", "out")), [])
    assert keeps_image(outputs_of(given("-o", "out")), ["name"])
    assert keeps_image(outputs_of(given("-o", "out", "-o", "type=image")), [])


@pytest.mark.parametrize("value", ["type=nothing", "type=local", "type=tar,dest"])
def test_bad_outputs(value: str) -> None:
    with pytest.raises(ClientError):
        outputs_of(given("-o", value))


def test_csv() -> None:
    assert csv_fields('a=1,"b=x,y"', "f") == {"a": "1", "b": "x,y"}


@pytest.mark.parametrize(
    ("place", "git"),
    [
        ("git@host:a/b.git", True),
        ("https://host/a.git#v1:sub", True),
        ("github.com/a/b", True),
        ("https://host/a.tar.gz", False),
        (".", False),
        ("dir.git", False),
    ],
)
def test_git_by_its_form(place: str, git: bool) -> None:  # noqa: FBT001
    assert is_git(place) is git


@pytest.mark.parametrize(
    ("address", "ref"),
    [
        ("ext::sh -c x", ""),
        ("file:///x", ""),
        ("/local", ""),
        ("https://h/r.git", "--upload-pack=x"),
        ("https://h/r.git", "a b"),
    ],
)
def test_what_git_is_never_given(address: str, ref: str) -> None:
    with pytest.raises(ClientError, match="invalid git"):
        _check(address, ref)


def test_a_folder_of_a_repository_stays_inside(tmp_path: Path) -> None:
    (tmp_path / "repo" / "sub").mkdir(parents=True)
    (tmp_path / "repo" / "link").symlink_to(tmp_path)
    root = str(tmp_path / "repo")
    assert _inside(root, "sub") == f"{root}/sub"
    for bad in ("..", "link", "sub/../..", "/../../etc"):
        with pytest.raises(ClientError):
            _inside(root, bad)
