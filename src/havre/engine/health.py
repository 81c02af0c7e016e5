"""How well a container is, from what its probes answered: pure, by Docker's rules."""

from typing import Final

import msgspec
from msgspec import structs

from havre.engine.settings import Config
from havre.oci.image_config import Healthcheck

STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"
MAX_OUTPUT: Final = 4096
"""Bytes of a probe's output that are kept."""

TIMED_OUT: Final = -1
_MAX_LOG: Final = 5
_NS: Final = 1_000_000_000
_DEFAULT_INTERVAL_S: Final = 30.0
_DEFAULT_START_INTERVAL_S: Final = 5.0
_DEFAULT_RETRIES: Final = 3


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. *code* is the program's, or TIMED_OUT when there was none."""

    start_ns: int
    end_ns: int
    code: int
    output: str = ""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What the probes have told so far; *log* holds the last five."""

    status: str = STARTING
    streak: int = 0
    log: tuple[ProbeResult, ...] = ()


def begun(before: Health | None) -> Health | None:
    """The health of a run that begins: what was found of the run before stays in the log."""
    return None if before is None else Health(log=before.log)


def at_rest(health: Health | None) -> Health | None:
    """The health of a container that runs no more: nobody may take it for a healthy one."""
    return None if health is None else structs.replace(health, status=UNHEALTHY)


def probe_command(config: Config) -> tuple[str, ...]:
    """The words of the probe; none for a container that is not probed."""
    test = (config.healthcheck.test if config.healthcheck is not None else None) or []
    if not test or test[0] == "NONE":
        return ()
    if test[0] == "CMD-SHELL":
        return (*(config.shell or ["/bin/sh", "-c"]), *test[1:2])
    return tuple(test[1:]) if test[0] == "CMD" else ()


def judged(health: Health, result: ProbeResult, check: Healthcheck, age_ns: int) -> Health:
    """*health* after one more answer, asked for at *age_ns* of the container.

    A failure within the start period of one that was never well does not count.
    """
    log = (*health.log, result)[-_MAX_LOG:]
    if result.code == 0:
        return Health(status=HEALTHY, streak=0, log=log)
    if health.status == STARTING and age_ns < check.start_period:
        return Health(status=STARTING, streak=health.streak, log=log)
    streak = health.streak + 1
    gone = streak >= (check.retries or _DEFAULT_RETRIES)
    return Health(status=UNHEALTHY if gone else health.status, streak=streak, log=log)


def interval_s(health: Health, check: Healthcheck, age_ns: int) -> float:
    """How long to wait before the next probe of a container that runs since *age_ns*."""
    if age_ns < check.start_period and health.status == STARTING:
        return check.start_interval / _NS or _DEFAULT_START_INTERVAL_S
    return check.interval / _NS or _DEFAULT_INTERVAL_S


def timeout_s(check: Healthcheck) -> float:
    """How long a probe may take."""
    return check.timeout / _NS or _DEFAULT_INTERVAL_S
