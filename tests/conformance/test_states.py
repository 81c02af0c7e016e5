"""What each verb says to a container in a state that it is not made for: the same on Havre and on the reference."""

from __future__ import annotations

import re

import pytest

from tests.conformance.test_command_lines import normal
from tests.support.engines import Havre, Reference

pytestmark = [pytest.mark.root, pytest.mark.reference]

_NAME = "state"
_SLEEP = ["busybox", "sleep", "1000"]
_MADE = {
    "created": [["create", "--name", _NAME, *_SLEEP]],
    "running": [["run", "-d", "--name", _NAME, *_SLEEP]],
    "paused": [["run", "-d", "--name", _NAME, *_SLEEP], ["pause", _NAME]],
    "exited": [["run", "--name", _NAME, "busybox", "sh", "-c", "exit 3"]],
    "failed": [["run", "--name", _NAME, "busybox", "nosuch"]],
    "nothing": [],
}
_VERBS = {
    "pause": ["created", "paused", "exited", "failed", "nothing"],
    "unpause": ["created", "running", "exited", "failed", "nothing"],
    "start": ["running", "paused", "failed", "nothing"],
    "stop": ["created", "exited", "failed", "nothing"],
    "kill": ["created", "exited", "failed", "nothing"],
    "kill -s BOGUS": ["created", "running", "nothing"],
    "restart": ["failed", "nothing"],
    "exec NAME true": ["created", "paused", "exited", "nothing"],
    "exec -u nosuch NAME true": ["running"],
    "attach --no-stdin": ["created", "paused", "exited", "nothing"],
    "top": ["created", "exited", "failed", "nothing"],
    "top NAME -bogus": ["created", "exited", "nothing"],
    "update -m 50m --memory-swap 20m": ["created", "running", "exited", "nothing"],
    "update -m 50m": ["created", "running", "paused", "exited", "nothing"],
    "rename NAME state": ["created", "running", "nothing"],
    "port NAME 80": ["created", "running", "exited", "nothing"],
    "network connect bridge": ["created", "running", "exited", "nothing"],
    "network connect nosuch": ["running", "nothing"],
    "network disconnect nosuch": ["created", "running", "exited", "nothing"],
    "network disconnect host": ["created", "running", "exited", "nothing"],
    "commit -c BOGUS": ["created", "nothing"],
    "wait": ["exited", "nothing"],
}


def _line(verb: str) -> list[str]:
    words = verb if "NAME" in verb else f"{verb} NAME"
    return words.replace("NAME", _NAME).split()


@pytest.mark.parametrize("state", _MADE)
def test_a_verb_in_the_wrong_state(havre: Havre, reference: Reference, state: str) -> None:
    answers = []
    for engine in (havre, reference):
        engine.docker("rm", "-f", _NAME)
        for line in _MADE[state]:
            engine.docker(*line)
        said = {verb: normal(engine.docker(*_line(verb))) for verb, states in _VERBS.items() if state in states}
        engine.docker("rm", "-f", _NAME)
        answers.append({verb: (*(_plain(text) for text in texts), code) for verb, (*texts, code) in said.items()})
    ours, theirs = answers
    assert ours == theirs


def _plain(text: bytes) -> bytes:
    """Without what 20.10 of the reference says in other words than 28."""
    text = re.sub(rb"ps: error.*", b"PS", text)
    return re.sub(rb"(Cannot kill container: \S+: )?Invalid signal", b"Invalid signal", text)
