"""The steps of a start as a list to read: pure."""

from collections.abc import Sequence
from typing import Final

from havre.engine.steps import Passed
from havre.wire.containers import BirthStep

_BIRTH: Final = "birth: "
_RUNS: Final = "birth: exec"


def told(story: Sequence[Passed], began_ns: int) -> list[BirthStep]:
    """Each step with when it began, since *began_ns*, and how long it took.

    The engine's own steps are told at their end, those of the birth at their beginning.
    """
    ahead = sum(step.at_ns < began_ns for step in story)
    made = [_step(f"{ahead} steps of the birth were done ahead", began_ns, began_ns, began_ns)] if ahead else []
    story = [step for step in story if step.at_ns >= began_ns]
    last_ns = began_ns
    for number, (step, at_ns) in enumerate(story):
        if not step.startswith(_BIRTH):
            made.append(_step(step, last_ns, at_ns, began_ns))
            last_ns = at_ns
            continue
        if last_ns < at_ns and not (made and (made[-1].get("Step") or "").startswith(_BIRTH)):
            made.append(_step("handed to the shim", last_ns, at_ns, began_ns))
        end_ns = story[number + 1].at_ns if number + 1 < len(story) else at_ns
        made.append(_step(step, at_ns, end_ns, began_ns))
        last_ns = end_ns
    return made


def _step(name: str, from_ns: int, to_ns: int, began_ns: int) -> BirthStep:
    return {"Step": name, "Start": from_ns - began_ns, "Duration": to_ns - from_ns}
