"""When a container is ready, and when it never will be."""

from __future__ import annotations

import pytest

from havre.compose.carry_out.health import RUNNING_OR_HEALTHY, NeverReady, verdict
from havre.compose.model.parts import COMPLETED, HEALTHY
from havre.wire.containers import ContainerState


def state(status: str, code: int = 0, health: str = "") -> ContainerState:
    made: ContainerState = {"Status": status, "ExitCode": code}
    if health:
        made["Health"] = {"Status": health}
    return made


@pytest.mark.parametrize(
    ("given", "condition", "said"),
    [
        (state("running", health="starting"), HEALTHY, ""),
        (state("running", health="healthy"), HEALTHY, "Healthy"),
        (state("restarting"), HEALTHY, ""),
        (state("created"), RUNNING_OR_HEALTHY, ""),
        (state("running"), RUNNING_OR_HEALTHY, "Started"),
        (state("running", health="starting"), RUNNING_OR_HEALTHY, ""),
        (state("exited"), RUNNING_OR_HEALTHY, "Exited"),
        (state("running"), COMPLETED, ""),
        (state("exited"), COMPLETED, "Exited"),
    ],
)
def test_verdicts(given: ContainerState, condition: str, said: str) -> None:
    assert verdict(given, "c", condition) == said


@pytest.mark.parametrize(
    ("given", "condition", "message"),
    [
        (state("running", health="unhealthy"), HEALTHY, "container c is unhealthy"),
        (state("exited", 1), HEALTHY, "container c exited \\(1\\)"),
        (state("exited"), HEALTHY, "container c exited \\(0\\)"),
        (state("running"), HEALTHY, "container c has no healthcheck configured"),
        (state("exited", 2), COMPLETED, "didn't complete successfully: container c exited \\(2\\)"),
        (state("exited", 3), RUNNING_OR_HEALTHY, "container c exited \\(3\\)"),
    ],
)
def test_never(given: ContainerState, condition: str, message: str) -> None:
    with pytest.raises(NeverReady, match=message):
        verdict(given, "c", condition)
