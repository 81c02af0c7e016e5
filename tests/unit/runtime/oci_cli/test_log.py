"""The lines that conmon and Podman read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from havre.runtime.oci_cli.log import Log


def test_json_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(str(tmp_path / "log"), "json")
    log.say_error('exec: "nosuch": executable file not found in $PATH')
    log.say_warning("careful")
    log.say_debug("unheard")
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(line["level"], line["msg"]) for line in lines] == [
        ("error", 'exec: "nosuch": executable file not found in $PATH'),
        ("warning", "careful"),
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["time"]) for line in lines)
    assert capsys.readouterr().err == 'exec: "nosuch": executable file not found in $PATH\n'


def test_text_goes_to_standard_error_without_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    Log(debug=True).say_debug('a "b"\nc')
    assert re.fullmatch(r'time="[^"]+" level=debug msg="a \\"b\\"\\nc"\n', capfd.readouterr().err)


def test_a_log_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Log(str(tmp_path / "no" / "log")).say_warning("careful")
    assert "careful" in capfd.readouterr().err
