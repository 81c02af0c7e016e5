from __future__ import annotations

from pathlib import Path

import pytest

from havre.daemon import config
from havre.daemon.main import main


@pytest.fixture(autouse=True)
def no_file_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "DEFAULT_FILE", tmp_path / "none.json")


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "Usage:  havred [OPTIONS]" in capsys.readouterr().out
    assert main(["-v"]) == 0
    assert capsys.readouterr().out.startswith("Havre version ")


def test_validate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--validate"]) == 0
    assert capsys.readouterr().out == "configuration OK\n"
    (tmp_path / "d.json").write_text('{"nosuch": 1}')
    assert main(["--validate", "--config-file", str(tmp_path / "d.json")]) == 1
    assert "don't match any configuration option: nosuch" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dns", "x"], "x is not an ip address"),
        (["--log-opt", "bogus=1"], "unknown log opt 'bogus' for json-file log driver"),
        (["--registry-mirror", "x"], 'invalid mirror: "x" is not a valid URI'),
        (["--bip", "x"], "invalid bip: "),
        (["--default-address-pool", "base=10.0.0.0/8,size=4"], "invalid address pool: "),
        (["--seccomp-profile", "/dev/null/x"], "opening seccomp profile (/dev/null/x) failed: "),
    ],
)
def test_what_would_stop_a_start_does_not_pass_for_valid(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--validate", *words]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith(message)
    assert shown.out == ""


def test_wrong_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nosuch"]) == 1
    assert capsys.readouterr().err == "unknown flag: --nosuch\nSee 'havred --help'.\n"
