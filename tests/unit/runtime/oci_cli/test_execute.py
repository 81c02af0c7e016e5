"""The process of `exec`: the container's own, changed by options, or one from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from havre.base.errors import InvalidInput, NotFound
from havre.oci.runtime_spec import Capabilities, Process, Root, Spec, User
from havre.runtime.oci_cli import execute
from havre.runtime.oci_cli.arguments import parse

BASE = Process(
    terminal=True,
    args=["sh"],
    env=["A=1"],
    cwd="/srv",
    user=User(uid=5, gid=6, additional_gids=[7]),
    capabilities=Capabilities(bounding=["CAP_KILL"], effective=["CAP_KILL"], permitted=["CAP_KILL"]),
)
SPEC = Spec(oci_version="1.0.2", process=BASE, root=Root(path="/"))


def process(*words: str) -> Process:
    given = parse(words, execute.OPTIONS, to_first_word=True)
    return execute._process(given, list(given.rest), SPEC)


def test_without_options_it_is_the_container_s_with_other_words_and_no_terminal() -> None:
    found = process("ls", "-l")
    assert (found.args, found.terminal, found.cwd, found.env) == (["ls", "-l"], False, "/srv", ["A=1"])
    assert found.user == BASE.user
    assert found.capabilities == BASE.capabilities


def test_options_change_it() -> None:
    words = ("-t", "-e", "B=2", "--cwd", "/tmp", "-u", "1000:50", "-g", "29", "-c", "cap_sys_ptrace", "--no-new-privs")
    found = process(*words, "id")
    assert found.terminal
    assert found.no_new_privileges
    assert found.cwd == "/tmp"
    assert found.env == ["A=1", "B=2"]
    assert found.user == User(uid=1000, gid=50, additional_gids=[7, 29])
    assert found.capabilities is not None
    assert found.capabilities.effective == ["CAP_KILL", "CAP_SYS_PTRACE"]


@pytest.mark.parametrize("user", ["alice", "-1", "4294967295", "1_0", "\u0660", " 0", "1:x", "+5"])
def test_users_are_numbers(user: str) -> None:
    with pytest.raises(InvalidInput, match="invalid"):
        process("-u", user, "id")


def test_a_process_needs_words() -> None:
    with pytest.raises(InvalidInput, match="process args cannot be empty"):
        process()


def test_a_process_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "process.json"
    path.write_text('{"args": ["id"], "cwd": "/tmp", "user": {"uid": 1, "gid": 2}}')
    found = process("--process", str(path))
    assert found == Process(args=["id"], cwd="/tmp", user=User(uid=1, gid=2))
    for text, message in (
        ("{", "invalid process"),
        ('{"args": []}', "process args cannot be empty"),
        ('{"args": ["x"], "cwd": "y"}', "absolute"),
    ):
        path.write_text(text)
        with pytest.raises(InvalidInput, match=message):
            process("-p", str(path))
    with pytest.raises(NotFound, match="no such file"):
        process("-p", str(tmp_path / "nope"))
