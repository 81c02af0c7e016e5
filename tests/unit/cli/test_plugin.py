"""What docker's command line hands to a plugin, and what Havre makes of it."""

from __future__ import annotations

import json

import pytest

from havre.cli.plugin import metadata, words_of

CALLED_BY_DOCKER = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND"


@pytest.mark.parametrize(
    ("program", "words", "meant"),
    [
        ("docker-compose", ["-f", "x", "up"], ["compose", "-f", "x", "up"]),
        ("docker-compose", ["run", "compose"], ["compose", "run", "compose"]),
        ("docker-buildx", ["build", "."], ["builder", "build", "."]),
    ],
)
def test_typed_by_its_own_name(
    monkeypatch: pytest.MonkeyPatch, program: str, words: list[str], meant: list[str]
) -> None:
    monkeypatch.delenv(CALLED_BY_DOCKER, raising=False)
    assert words_of(program, words) == meant


@pytest.mark.parametrize(
    ("program", "words", "meant"),
    [
        ("docker-compose", ["-H", "unix:///s", "compose", "up"], ["-H", "unix:///s", "compose", "up"]),
        ("docker-buildx", ["buildx", "build", "buildx"], ["builder", "build", "buildx"]),
        ("docker-buildx", ["--debug", "buildx", "du"], ["--debug", "builder", "du"]),
    ],
)
def test_called_by_docker(monkeypatch: pytest.MonkeyPatch, program: str, words: list[str], meant: list[str]) -> None:
    monkeypatch.setenv(CALLED_BY_DOCKER, "/usr/bin/docker")
    assert words_of(program, words) == meant


def test_what_it_says_of_itself() -> None:
    assert json.loads(metadata("docker-compose", ["docker-cli-plugin-metadata"]))["SchemaVersion"] == "0.1.0"
    assert metadata("docker-compose", ["up"]) == ""
