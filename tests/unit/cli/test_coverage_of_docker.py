"""Every flag of docker's container, system and top-level commands is one of ours; what is not there yet is listed."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

from havre.cli.command import Command
from havre.cli.global_flags import GLOBAL_FLAGS
from havre.cli.names import ALIASES, COMMANDS

SPEC = Path(__file__).parents[4] / "shared/spec/docker-cli.json"
NOT_YET = frozenset(
    [
        "docker", "completion", "__complete", "help",
    ]
)  # fmt: skip
FLAGS_NOT_YET = {
    "volume create": {  # of cluster volumes, which need a swarm
        *("availability", "group", "limit-bytes", "required-bytes", "scope", "secret", "sharing", "type"),
        *("topology-preferred", "topology-required"),
    },
    "volume ls": {"cluster"},
}
ROOMS_NOT_YET = (
    "buildx", "checkpoint", "compose", "config", "context", "image build",
    "network connect", "network create", "network disconnect", "network prune", "network rm", "node", "plugin",
    "secret", "service", "stack", "swarm", "trust",
)  # fmt: skip


def commands() -> dict[str, set[str]]:
    """The flags of each command of Docker's by its path without the program."""
    if not SPEC.exists():
        return {}
    found = {}
    for entry in json.loads(SPEC.read_text())["commands"]:
        if entry["kind"] == "command":
            path = entry["path"].removeprefix("docker").strip()
            found[path] = {flag["long"] for flag in entry["flags"]}
    return found


def ours(path: str) -> Command | None:
    words = tuple(path.split())
    module = COMMANDS.get(ALIASES.get(words, words))
    return None if module is None else import_module(f"havre.cli.commands.{module}").COMMAND


def of_another_room(path: str) -> bool:
    return any(path == room or path.startswith(f"{room} ") for room in ROOMS_NOT_YET)


@pytest.mark.skipif(not SPEC.exists(), reason="the list of docker's flags is not beside this tree")
@pytest.mark.parametrize("path", [path for path in commands() if path not in NOT_YET and not of_another_room(path)])
def test_no_flag_is_missing(path: str) -> None:
    command = ours(path)
    assert command is not None, f"havre has no command {path}"
    missing = commands()[path] - {flag.name for flag in (*command.flags, *GLOBAL_FLAGS)} - {"help"}
    assert missing == FLAGS_NOT_YET.get(path, set())
