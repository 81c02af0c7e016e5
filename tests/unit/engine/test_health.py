from __future__ import annotations

import pytest

from havre.engine.health import Health, ProbeResult, at_rest, begun, interval_s, judged, probe_command, timeout_s
from havre.engine.settings import Config
from havre.oci.image_config import Healthcheck

NS = 1_000_000_000


def answer(code: int) -> ProbeResult:
    return ProbeResult(start_ns=100 * NS, end_ns=100 * NS + 1, code=code)


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (None, ()),
        ([], ()),
        (["NONE"], ()),
        (["CMD", "a", "b"], ("a", "b")),
        (["CMD-SHELL", "a || b"], ("/bin/sh", "-c", "a || b")),
        (["WHAT", "a"], ()),
    ],
)
def test_commands(test: list[str] | None, expected: tuple[str, ...]) -> None:
    assert probe_command(Config(healthcheck=Healthcheck(test=test))) == expected


def test_three_failures_in_a_row_are_bad_and_one_success_is_good() -> None:
    health, told = Health(), []
    for code in (1, 1, 0, 1, 1, 1, 1, 0):
        health = judged(health, answer(code), Healthcheck(), 0)
        told.append((health.status, health.streak))
    assert told == [
        *(("starting", 1), ("starting", 2), ("healthy", 0), ("healthy", 1), ("healthy", 2)),
        *(("unhealthy", 3), ("unhealthy", 4), ("healthy", 0)),
    ]
    assert len(health.log) == 5


def test_failures_in_the_start_period_do_not_count_until_it_was_well_once() -> None:
    check = Healthcheck(start_period=60 * NS, retries=1)
    young = judged(Health(), answer(1), check, 30 * NS)
    assert (young.status, young.streak) == ("starting", 0)
    assert judged(young, answer(1), check, 61 * NS).status == "unhealthy"
    well = judged(young, answer(0), check, 31 * NS)
    assert judged(well, answer(1), check, 32 * NS).status == "unhealthy"


def test_what_has_ended_is_not_healthy_and_what_begins_again_keeps_the_log() -> None:
    well = judged(Health(), answer(0), Healthcheck(), 0)
    over = at_rest(well)
    assert over == Health(status="unhealthy", log=well.log)
    assert begun(over) == Health(status="starting", log=well.log)
    assert at_rest(None) is begun(None) is None


def test_times() -> None:
    check = Healthcheck(interval=2 * NS, start_period=60 * NS, start_interval=NS // 2, timeout=NS)
    assert interval_s(Health(), check, 1 * NS) == 0.5
    assert interval_s(Health(status="healthy"), check, 1 * NS) == 2
    assert interval_s(Health(), check, 61 * NS) == 2
    assert interval_s(Health(), Healthcheck(), 0) == 30
    assert (timeout_s(check), timeout_s(Healthcheck())) == (1, 30)
