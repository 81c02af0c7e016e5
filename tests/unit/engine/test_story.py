from __future__ import annotations

from havre.engine.steps import Passed, listening, passed, tell
from havre.engine.story import told


def test_ends_of_the_engine_and_beginnings_of_the_birth_become_spans() -> None:
    story = [
        Passed("start.network", 30),
        Passed("birth: rootfs", 50),
        Passed("birth: exec", 80),
        Passed("start.launched", 95),
        Passed("start.recorded", 100),
    ]
    assert [(step["Step"], step["Start"], step["Duration"]) for step in told(story, 10)] == [
        ("start.network", 0, 20),
        ("handed to the shim", 20, 20),
        ("birth: rootfs", 40, 30),
        ("birth: exec", 70, 15),
        ("start.launched", 85, 0),
        ("start.recorded", 85, 5),
    ]


def test_only_who_listens_hears() -> None:
    passed("start.network")
    with listening() as story:
        passed("start.network")
        tell("birth: exec", 5)
    passed("start.prepared")
    assert [step.step for step in story] == ["start.network", "birth: exec"]
