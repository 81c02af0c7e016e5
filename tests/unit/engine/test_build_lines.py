"""How a build is told: docker's words in the file's order, and Havre's own events as they come."""

from __future__ import annotations

from havre.build.model import (
    BuildEvent,
    Built,
    Noticed,
    PullTold,
    StepBroke,
    StepDone,
    StepId,
    StepOutput,
    StepRuns,
    StepStarted,
    Tagged,
)
from havre.engine.build_lines import ClassicLines, Lines, QuietLines, StepLines

IMAGE = "sha256:" + "ab" * 32


def step(number: int, total: int = 3) -> StepId:
    return StepId(number=number, total=total, stage=0, stage_name="", position=number, stage_steps=total)


def text(lines: Lines, *events: BuildEvent) -> str:
    made = [line for event in events for line in lines.of(event)] + list(lines.end())
    return "".join(str(line.get("stream") or line) for line in made)


def test_docker_s_words() -> None:
    told = text(
        ClassicLines(),
        StepStarted(step(1, 2), "FROM busybox"),
        StepDone(step(1, 2), IMAGE),
        StepStarted(step(2, 2), "RUN echo hi"),
        StepRuns(step(2, 2), "c" * 64),
        StepOutput(step(2, 2), b"hi\n"),
        StepDone(step(2, 2), IMAGE),
        Built(IMAGE),
        Tagged("a:latest"),
    )
    assert told == (
        "Step 1/2 : FROM busybox\n ---> abababababab\n"
        "Step 2/2 : RUN echo hi\n ---> Running in cccccccccccc\nhi\n"
        " ---> Removed intermediate container cccccccccccc\n ---> abababababab\n"
        f"{{'aux': {{'ID': '{IMAGE}'}}}}Successfully built abababababab\nSuccessfully tagged a:latest\n"
    )


def test_cached() -> None:
    told = text(ClassicLines(), StepStarted(step(1), "FROM x"), StepDone(step(1), IMAGE, cached=True))
    assert told == "Step 1/3 : FROM x\n ---> Using cache\n ---> abababababab\n"


def test_what_comes_too_early_waits() -> None:
    lines = ClassicLines()
    early = text(lines, StepStarted(step(2), "RUN b"), StepDone(step(2), IMAGE))
    assert early == ""
    rest = text(lines, StepStarted(step(1), "RUN a"), StepDone(step(1), IMAGE), StepStarted(step(3), "RUN c"))
    assert [line for line in rest.splitlines() if line.startswith("Step")] == [
        "Step 1/3 : RUN a",
        "Step 2/3 : RUN b",
        "Step 3/3 : RUN c",
    ]


def test_a_step_that_broke_is_told_though_others_are_not_done() -> None:
    lines = ClassicLines()
    told = text(
        lines,
        StepStarted(step(1), "RUN slow"),
        StepStarted(step(2), "RUN broken"),
        StepOutput(step(2), b"why\n"),
        StepBroke(step(2), "reason"),
    )
    assert told == "Step 1/3 : RUN slow\nStep 2/3 : RUN broken\nwhy\n"


def test_quiet() -> None:
    assert text(QuietLines(), StepStarted(step(1), "FROM x"), Built(IMAGE), Tagged("a")) == f"{IMAGE}\n"


def test_pulls_and_notices() -> None:
    (line,) = ClassicLines().of(PullTold("layer", "Downloading", 5, 10))
    assert line == {"status": "Downloading", "id": "layer", "progressDetail": {"current": 5, "total": 10}}
    assert text(ClassicLines(), Noticed("not consumed")) == "not consumed\n"
    assert text(ClassicLines(), Noticed("stage names", "StageNameCasing")) == ""


def test_events_for_our_own_command_line() -> None:
    lines = StepLines()
    told = [
        dict(line["aux"] or {})
        for event in (
            StepStarted(step(1), "RUN x"),
            StepOutput(step(1), b"o", is_error=True),
            StepBroke(step(1), "why", 7),
            Tagged("a"),
            Built(IMAGE),
        )
        for line in lines.of(event)
    ]
    assert told[0]["Text"] == "RUN x"
    assert (told[1]["Data"], told[1]["Error"]) == ("o", True)
    assert (told[2]["Message"], told[2]["Line"]) == ("why", 7)
    assert told[3:] == [{"Event": "tagged", "Text": "a"}, {"ID": IMAGE}]
