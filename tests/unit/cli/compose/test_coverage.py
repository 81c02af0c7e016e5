"""Every verb and flag of Docker Compose is one of ours, or refused by name."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from havre.cli.compose.flags import COMPOSE_FLAGS
from havre.cli.compose.names import ALIASES, REFUSED, VERBS

SPEC = next((one for above in Path(__file__).parents if (one := above / "shared/spec/compose-cli.json").exists()), None)


def commands() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(SPEC.read_text())["commands"] if SPEC else []
    return found


@pytest.mark.skipif(SPEC is None, reason="the list is not at hand")
def test_every_verb_is_there() -> None:
    verbs = {one["path"].split()[2] for one in commands() if len(one["path"].split()) > 2}
    assert verbs - set(VERBS) - set(ALIASES) - set(REFUSED) == set()


@pytest.mark.parametrize("command", commands(), ids=lambda one: one["path"].replace(" ", "-"))
def test_every_flag_is_there(command: dict[str, Any]) -> None:
    path = command["path"].split()
    if len(path) > 2 and path[2] in REFUSED:
        return
    verb = ALIASES.get(path[2], path[2]) if len(path) > 2 else ""
    flags = import_module(f"havre.cli.commands.compose_{verb}").VERB.flags if verb else COMPOSE_FLAGS
    ours = {flag.name: flag.short for flag in flags}
    for flag in command["flags"]:
        assert flag["long"] in ours
        assert flag.get("short", "") == ours[flag["long"]]
