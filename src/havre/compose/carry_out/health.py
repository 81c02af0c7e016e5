"""Waits until containers are ready: running, healthy, or ended well."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from havre.client.client import Client
from havre.compose.carry_out.changes import Changes
from havre.compose.carry_out.run import Cancel
from havre.compose.errors import Failed
from havre.compose.model.parts import COMPLETED, HEALTHY
from havre.wire.containers import ContainerInspect, ContainerState

_FIRST_STEP_S, _LAST_STEP_S = 0.01, 0.25  # beside the engine's events, which an engine may be slow to begin with
RUNNING_OR_HEALTHY = "running_or_healthy"


class NeverReady(Failed):
    """A container ended or turned unhealthy while it was waited for."""


def wait_ready(client: Client, containers: Sequence[tuple[str, str]], condition: str, cancel: Cancel) -> str:
    """Until each of *containers* (ids with names) meets *condition*: what they are then.

    Raises NeverReady when one of them can no longer meet it, Cancelled when the plan is given up.
    """
    said = ""
    with Changes(client, [container for container, _ in containers], cancel) as changes:
        for container, name in containers:
            step_s, seen = _FIRST_STEP_S, changes.count
            while not (said := verdict(_state(client, container), name, condition)):
                cancel.pause(step_s, partial(changes.is_beyond, seen))
                step_s, seen = min(step_s * 1.5, _LAST_STEP_S), changes.count
    return said


def verdict(state: ContainerState, name: str, condition: str) -> str:
    """What a container that meets *condition* is (`Healthy`, `Exited`, …); empty while it may still meet it.

    Raises NeverReady. For *RUNNING_OR_HEALTHY* a container that has ended with 0 is ready, too.
    """
    status, code = state.get("Status") or "", state.get("ExitCode") or 0
    health = (state.get("Health") or {}).get("Status") or "none"
    ended = status in ("exited", "dead", "removing")
    if condition == COMPLETED:
        if ended and code != 0:
            raise NeverReady(f"service didn't complete successfully: container {name} exited ({code})")
        return "Exited" if ended else ""
    if ended:
        if condition == RUNNING_OR_HEALTHY and code == 0:
            return "Exited"
        raise NeverReady(f"dependency failed to start: container {name} exited ({code})")
    if health == "unhealthy":
        raise NeverReady(f"dependency failed to start: container {name} is unhealthy")
    if status != "running" or (status == "running" and health == "starting"):
        return ""
    if health == "none" and condition == HEALTHY:
        raise NeverReady(f"dependency failed to start: container {name} has no healthcheck configured")
    return "Healthy" if health == "healthy" else "Started"


def _state(client: Client, container: str) -> ContainerState:
    return client.get(f"/containers/{container}/json", ContainerInspect).get("State") or {}
