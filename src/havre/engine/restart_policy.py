"""Whether and when a container starts again by itself: pure, by Docker's rules."""

from typing import Final

from havre.engine.model import Record
from havre.engine.signals import KILL, parse_signal

ALWAYS, UNLESS_STOPPED, ON_FAILURE = "always", "unless-stopped", "on-failure"
FIRST_DELAY_S: Final = 0.1
LONGEST_DELAY_S: Final = 60.0
LONG_RUN_S: Final = 10.0
"""A run of this length makes the next wait a short one again."""

_NS: Final = 1_000_000_000


def starts_again(record: Record, exit_code: int) -> bool:
    """Whether the end of its run is followed by another; what the user stopped stays as it is."""
    return not record.stopped_by_user and _wants(record, exit_code)


def starts_with_the_engine(record: Record) -> bool:
    """Whether a container that does not run is to run once the engine is up: `always` also after a stop."""
    if not record.started_ns:
        return False
    if record.stopped_by_user and record.host.restart_policy.name != ALWAYS:
        return False
    return _wants(record, record.exit_code)


def counts_as_stop(record: Record, number: int) -> bool:
    """Whether signal *number*, sent by the user, is meant to end *record*'s run for good."""
    return is_meant_to_end(record, number) or record.host.restart_policy.name == UNLESS_STOPPED


def is_meant_to_end(record: Record, number: int) -> bool:
    """Whether signal *number*, sent by the user, is to end the program.

    A container that names its stop signal can be sent others, and still starts again by all policies but one.
    """
    own = record.config.stop_signal
    return not own or number in {KILL, parse_signal(own)}


def next_delay_s(last_s: float, run_ns: int) -> float:
    """How long to wait before the next start: doubled each time; *last_s* is 0 for the first."""
    if not last_s or run_ns >= LONG_RUN_S * _NS:
        return FIRST_DELAY_S
    return min(2 * last_s, LONGEST_DELAY_S)


def _wants(record: Record, exit_code: int) -> bool:
    policy = record.host.restart_policy
    if policy.name == ON_FAILURE:
        most = policy.maximum_retry_count
        return exit_code != 0 and (most == 0 or record.restart_count < most)
    return policy.name in {ALWAYS, UNLESS_STOPPED}
