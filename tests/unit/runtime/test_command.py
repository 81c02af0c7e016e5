"""The command line before it touches a container."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from havre.runtime import command


def run(*words: str) -> int:
    return command.main(list(words))


@pytest.mark.parametrize("words", [(), ("--help",), ("help",), ("-h",)])
def test_help_names_every_verb(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == 0
    text = capsys.readouterr().out
    assert all(f"   {verb} " in text for verb in command.VERBS)


@pytest.mark.parametrize("verb", [name for name, verb in command.VERBS.items() if not verb.enters])
def test_each_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(verb, "--help") == 0
    assert f"Usage: havre-runtime {verb}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.splitlines()[1] == "spec: 1.2.0"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("bogus",), 3, "unknown command"),
        (("--bogus", "state"), 1, "flag provided but not defined: --bogus"),
        (("state",), 1, "requires exactly 1 argument"),
        (("state", "a", "b"), 1, "requires exactly 1 argument"),
        (("kill",), 1, "requires at least 1 argument"),
        (("--log-format", "xml", "state", "a"), 1, "invalid log-format: xml"),
        (("--systemd-cgroup", "state", "a"), 1, "systemd cgroups are not supported"),
        (("--cgroup-manager", "systemd", "state", "a"), 1, "systemd cgroups are not supported"),
        (("--cgroup-manager", "x", "state", "a"), 1, "unknown cgroup manager"),
        (("kill", "nope", "9"), 1, "container does not exist"),
        (("delete", "nope"), 1, "container does not exist"),
        (("start", "nope"), 1, "container does not exist"),
        (("list", "x"), 1, "requires exactly 0 argument"),
    ],
)
def test_errors(
    words: tuple[str, ...], code: int, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("--root", str(tmp_path), *words) == code
    assert message in capfd.readouterr().err


def test_deleting_nothing_by_force_is_done(tmp_path: Path) -> None:
    assert run("--root", str(tmp_path), "delete", "--force", "nope") == 0


def test_the_log_file_has_the_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log"
    assert run("--root", str(tmp_path), "--log", str(log), "--log-format", "json", "state", "nope") == 1
    assert json.loads(log.read_text())["msg"] == "container does not exist"
    assert capsys.readouterr().err == "container does not exist\n"


def test_an_empty_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--root", str(tmp_path), "list", "-f", "json") == 0
    assert capsys.readouterr().out == "[]\n"
