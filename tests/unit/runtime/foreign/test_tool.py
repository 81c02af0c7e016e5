from __future__ import annotations

from pathlib import Path

import pytest

from havre.runtime.errors import NOT_EXECUTABLE, NOT_FOUND, NOT_STARTED, StepFailed
from havre.runtime.foreign.tool import Tool, exit_code_for


def script(folder: Path, text: str) -> Tool:
    path = folder / "tool"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return Tool((str(path), "--own"), str(folder))


def test_it_runs_in_its_folder_with_its_own_state_and_log(tmp_path: Path) -> None:
    script(tmp_path, 'echo "$PWD" "$@" > said').run("create", "--x", "name")
    log, state = tmp_path / "log.json", tmp_path / "state"
    expected = f"{tmp_path} --own --log {log} --log-format json --root {state} create --x name\n"
    assert (tmp_path / "said").read_text() == expected


def test_the_last_error_of_its_log_is_what_is_told(tmp_path: Path) -> None:
    lines = r'printf "%s\n" "{\"level\":\"error\",\"msg\":\"first\"}" no-json "{\"level\":\"error\",\"msg\":\"last\"}"'
    with pytest.raises(StepFailed) as told:
        script(tmp_path, f"{lines} > log.json; exit 1").run("start", "name")
    assert (told.value.text, told.value.exit_code) == ("last", NOT_STARTED)


def test_a_silent_failure_and_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as told:
        script(tmp_path, "exit 3").run("start", "name")
    assert "start ended with exit code 3 and without a word" in told.value.text
    with pytest.raises(StepFailed, match="cannot run the runtime /nosuch"):
        Tool(("/nosuch",), str(tmp_path)).run("start", "name")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("executable file `x` not found in $PATH: No such file or directory", NOT_FOUND),
        ('exec: "x": executable file not found in $PATH', NOT_FOUND),
        ("open executable: Permission denied", NOT_EXECUTABLE),
        ("mount proc: operation not permitted", NOT_STARTED),
        ("", NOT_STARTED),
    ],
)
def test_codes_come_from_the_words(words: str, code: int) -> None:
    assert exit_code_for(words) == code
