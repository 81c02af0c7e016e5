"""The registry's flags: those that the command line offers, laid over the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from havre.base.errors import InvalidInput
from havre.cli.commands import registry_serve
from havre.daemon.registry_flags import FLAGS, load


def test_the_command_line_offers_just_these() -> None:
    assert {flag.name for flag in registry_serve.FLAGS} == FLAGS


def test_flags_count_for_more_than_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("http: {addr: '127.0.0.1:1'}\nstorage: {filesystem: {rootdirectory: /srv}}\nlog: {level: debug}\n")
    found = load(["--config", str(file), "--addr=127.0.0.1:2", "--read-only", "--no-access-log", "--log-level=warn"])
    assert (str(found.address), found.root, found.log_level) == ("127.0.0.1:2", Path("/srv"), "warn")
    assert (found.read_only, found.access_log) == (True, False)


def test_users_and_public_repositories() -> None:
    found = load(["--addr=:5000", "--htpasswd=/users", "--token-service", "--public=a/*", "--public=b/*"])
    assert found.auth.tokenservice is not None
    assert found.rules.allowed("b/x", "")
    assert not found.rules.allowed("c/x", "")


@pytest.mark.parametrize("words", [["--what"], ["--addr"], ["word"], ["--config=/nowhere"], ["--add=:5"]])
def test_what_is_refused(words: list[str]) -> None:
    with pytest.raises(InvalidInput):
        load(words)
