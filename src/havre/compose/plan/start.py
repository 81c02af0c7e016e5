"""The plans of `start` and `restart`: containers that are there, dependencies first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from havre.compose.model.parts import STARTED
from havre.compose.model.service import Service
from havre.compose.plan import steps as act
from havre.compose.plan.steps import Step, Steps
from havre.compose.present import Present


def plan_start(services: Iterable[Service], present: Present) -> tuple[Step, ...]:
    """Start each container of *services* that does not run, once what it depends on is as it should be."""
    chosen = {service.name: service for service in services}
    steps = Steps()
    for service in chosen.values():
        for one in present.of(service.name):
            if not one.is_running:
                after = conditions(steps, service, chosen, present)
                steps.add(_started(service.name, one.number), act.Start(service.name, one.number, one), after)
    return steps.done()


def conditions(steps: Steps, service: Service, chosen: Mapping[str, Service], present: Present) -> list[str]:
    """The keys of what must be done before a container of *service* starts; waits are added to *steps*."""
    found = []
    for name, dependency in service.depends_on.items():
        if name not in chosen:
            continue
        started = [_started(name, one.number) for one in present.of(name)]
        if dependency.condition == STARTED:
            found += started
            continue
        key = f"wait {name} {dependency.condition.removeprefix('service_')}"
        found.append(steps.add(key, act.Wait(name, dependency.condition, dependency.required), started))
    return found


def _started(service: str, number: int) -> str:
    return f"start {service} {number}"
