"""Progress on standard error."""

from __future__ import annotations

import json

import pytest

from havre.cli.compose.progress import Plain, Terminal, progress_for
from havre.cli.screen import Screen
from havre.client.errors import ClientError


def test_plain_lines(capfd: pytest.CaptureFixture[str]) -> None:
    told = Plain()
    told.begin("Container web-1", "Starting")
    told.done("Container web-1", "Started")
    told.failed("Container \x1b[31mx", "no")
    told.output("Image x", {"stream": "Step 1\n"})
    told.output("Image x", {"status": "Downloading", "id": "a", "progressDetail": {"current": 1}})
    told.output("Image x", {"status": "Pull complete", "id": "a"})
    assert capfd.readouterr().err.splitlines() == [
        " Container web-1  Starting",
        " Container web-1  Started",
        " Container �[31mx  Error no",
        "Step 1",
        " Image x a  Pull complete",
    ]


def test_silent_tells_what_fails(capfd: pytest.CaptureFixture[str]) -> None:
    told = Plain(silent=True)
    told.begin("a", "b")
    told.output("a", {"stream": "x"})
    told.note("beware")
    assert capfd.readouterr().err == "WARNING: beware\n"


def test_json(capfd: pytest.CaptureFixture[str]) -> None:
    Plain(as_json=True).done("Network n", "Created")
    assert json.loads(capfd.readouterr().err) == {"id": "Network n", "status": "Created"}


def test_a_block_that_is_written_over(capfd: pytest.CaptureFixture[str]) -> None:
    told = Terminal(colours=False)
    told.begin("Network n", "Creating")
    told.done("Network n", "Created")
    told.note("beware")
    told.close()
    said = capfd.readouterr().err
    assert "[+] Running 0/1" in said
    assert "\x1b[2A" in said
    last = said[said.rindex("[+] Running") :]
    assert last.startswith("[+] Running 1/1\n\r\x1b[2K ✔ Network n  Created")
    assert "WARN beware\n" in said


def test_choices() -> None:
    screen = Screen("havre")
    assert isinstance(progress_for("tty", screen, colours=True, dry=False), Terminal)
    assert isinstance(progress_for("plain", screen, colours=True, dry=False), Plain)
    with pytest.raises(ClientError, match="unsupported --progress"):
        progress_for("loud", screen, colours=True, dry=False)
