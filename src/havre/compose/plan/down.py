"""The plans of `down`, `stop` and `rm`: dependants before what they depend on."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from msgspec import Struct

from havre.compose.plan import steps as act
from havre.compose.plan.steps import Step, Steps
from havre.compose.present import Container, Present

_ANONYMOUS: Final = re.compile(r"[0-9a-f]{64}\Z")


class DownOptions(Struct, frozen=True):
    """What goes besides the containers of *services* (all of the application when empty)."""

    services: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    remove_orphans: bool = False
    volumes: bool = False
    images: tuple[str, ...] = ()
    external: frozenset[str] = frozenset()


def plan_down(project: str, present: Present, options: DownOptions) -> tuple[Step, ...]:
    """Stop and remove the containers, then the networks, the volumes and images that are asked for.

    Networks go only with the whole application; what is *external* stays. Orphans (of services that are not *known*)
    go when asked, and then a network that they are on can go, too.
    """
    steps = Steps()
    going = [
        one
        for one in present.containers
        if (not options.services or one.service in options.services)
        and (options.remove_orphans or one.oneoff or not options.known or one.service in options.known)
    ]
    gone = _stop_and_remove(steps, going, volumes=options.volumes)
    if not options.services:
        for network in sorted(present.networks.values(), key=lambda one: one.name):
            if network.project == project and network.name not in options.external:
                steps.add(f"remove network {network.name}", act.RemoveNetwork(network), gone)
        if options.volumes:
            for volume in sorted(present.volumes.values(), key=lambda one: one.name):
                if volume.project == project and volume.name not in options.external:
                    steps.add(f"remove volume {volume.name}", act.RemoveVolume(volume.name), gone)
    if options.volumes:
        _remove_anonymous(steps, going, gone)
    for image in options.images:
        steps.add(f"remove image {image}", act.RemoveImage(image), gone)
    return steps.done()


def plan_stop(containers: Iterable[Container], only: Collection[str] = ()) -> tuple[Step, ...]:
    """Stop what runs (of the services in *only*, when there are any)."""
    steps = Steps()
    _stop(steps, [one for one in containers if not only or one.service in only])
    return steps.done()


def plan_remove(containers: Iterable[Container], *, stop: bool, volumes: bool) -> tuple[Step, ...]:
    """Remove *containers*; those that run only with *stop*, which stops them first."""
    held = [one for one in containers if stop or not one.is_running]
    steps = Steps()
    _stop_and_remove(steps, held, volumes=volumes)
    return steps.done()


def dependencies(containers: Iterable[Container]) -> Mapping[str, set[str]]:
    """What each service waits for, as its containers' labels tell."""
    found: dict[str, set[str]] = {}
    for one in containers:
        found.setdefault(one.service, set()).update(one.depends_on)
    return found


def _remove_anonymous(steps: Steps, containers: list[Container], gone: list[str]) -> None:
    """Anonymous volumes that were handed on to a later container: the engine takes them for named ones."""
    for name in sorted({name for one in containers for name in one.volumes.values() if _ANONYMOUS.match(name)}):
        steps.add(f"remove volume {name}", act.RemoveVolume(name), gone)


def _stop(steps: Steps, containers: list[Container]) -> None:
    needs = dependencies(containers)
    rank = {service: position for position, service in enumerate(_in_order(needs))}
    for one in containers:
        if one.is_running:
            dependants = [
                other
                for other in containers
                if other.is_running and one.service in needs[other.service] and rank[other.service] > rank[one.service]
            ]
            steps.add(f"stop {one.name}", act.Stop(one), [f"stop {other.name}" for other in dependants])


def _stop_and_remove(steps: Steps, containers: list[Container], *, volumes: bool) -> list[str]:
    _stop(steps, containers)
    return [
        steps.add(f"remove {one.name}", act.Remove(one, volumes, force=True), (f"stop {one.name}",))
        for one in containers
    ]


def _in_order(needs: Mapping[str, set[str]]) -> list[str]:
    """Dependencies first. Labels of different ages may tell a circle, which is cut somewhere."""
    made: dict[str, None] = {}
    for start in sorted(needs):
        trail = [start]
        while trail:
            left = sorted(other for other in needs[trail[-1]] if other in needs and other not in made)
            left = [other for other in left if other not in trail]
            if left:
                trail.append(left[0])
            else:
                made.setdefault(trail.pop())
    return list(made)
