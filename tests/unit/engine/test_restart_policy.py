from __future__ import annotations

import pytest
from msgspec.structs import replace

from havre.engine.model import Record
from havre.engine.restart_policy import next_delay_s, starts_again, starts_with_the_engine
from havre.engine.settings import Config, HostConfig, RestartPolicy

NS = 1_000_000_000


def record(name: str, most: int = 0, **more: object) -> Record:
    host = HostConfig(restart_policy=RestartPolicy(name=name, maximum_retry_count=most))
    made = Record(id="a" * 64, name="x", created_ns=1, image_id="", chain="", config=Config(), host=host, started_ns=1)
    return replace(made, **more)


def test_the_wait_doubles_to_a_minute_and_a_long_run_forgets_it() -> None:
    delays = [0.0]
    for _ in range(13):
        delays.append(next_delay_s(delays[-1], 1 * NS))
    assert delays[1:5] == [0.1, 0.2, 0.4, 0.8]
    assert delays[-3:] == [60.0, 60.0, 60.0]
    assert next_delay_s(60.0, 10 * NS) == 0.1
    assert next_delay_s(60.0, 10 * NS - 1) == 60.0


@pytest.mark.parametrize(
    ("name", "most", "code", "count", "expected"),
    [
        ("no", 0, 1, 0, False),
        ("", 0, 1, 0, False),
        ("always", 0, 0, 99, True),
        ("unless-stopped", 0, 0, 99, True),
        ("on-failure", 0, 0, 0, False),
        ("on-failure", 0, 1, 999, True),
        ("on-failure", 3, 1, 2, True),
        ("on-failure", 3, 1, 3, False),
    ],
)
def test_policies(name: str, most: int, code: int, count: int, expected: bool) -> None:  # noqa: FBT001  a row
    one = record(name, most, restart_count=count)
    assert starts_again(one, code) is expected
    assert not starts_again(replace(one, stopped_by_user=True), code)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (record("always"), True),
        (record("always", stopped_by_user=True), True),
        (record("always", started_ns=0), False),
        (record("always", failure="no such file"), True),
        (record("unless-stopped"), True),
        (record("unless-stopped", stopped_by_user=True), False),
        (record("on-failure", exit_code=0), False),
        (record("on-failure", exit_code=137), True),
        (record("no", exit_code=1), False),
    ],
)
def test_what_starts_with_the_engine(one: Record, expected: bool) -> None:  # noqa: FBT001  a row
    assert starts_with_the_engine(one) is expected
