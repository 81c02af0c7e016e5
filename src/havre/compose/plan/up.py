"""The plan of `up`, `create`, `start` and `scale`: from what is there to what is wanted, changing only what differs."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from havre.compose.check import sharing
from havre.compose.errors import ComposeError
from havre.compose.hashes import has_contents, is_made_of, resource_hash
from havre.compose.model.names import CONTENTS
from havre.compose.model.parts import STARTED
from havre.compose.model.project import Project
from havre.compose.model.service import Service
from havre.compose.plan import steps as act
from havre.compose.plan.steps import Step, Steps
from havre.compose.present import Container, Present

DIVERGED, ALWAYS, NEVER = "diverged", "always", "never"


class UpOptions(Struct, frozen=True):
    """How far the plan goes.

    *services* are those to be converged (all that are on when empty), *recreate* which of their containers are made
    anew, *recreate_dependencies* the same for those that are not *named*; *images* are what each service's
    containers must have been made of; *keep_surplus* leaves containers beyond the scale alone.
    """

    images: Mapping[str, str]
    services: tuple[str, ...] = ()
    named: frozenset[str] = frozenset()
    recreate: str = DIVERGED
    recreate_dependencies: str = DIVERGED
    scale: Mapping[str, int] = field(default_factory=dict)
    start: bool = True
    remove_orphans: bool = False
    keep_surplus: bool = False


def plan_up(project: Project, present: Present, options: UpOptions) -> tuple[Step, ...]:
    """The steps that make *present* what *project* wants. Raises ComposeError for what cannot be had."""
    return _Up(project, present, options).plan()


class _Up:
    def __init__(self, project: Project, present: Present, options: UpOptions) -> None:
        self._project, self._present, self._options = project, present, options
        self._services = [project.services[name] for name in options.services or project.services]
        self._chosen = {service.name for service in self._services}
        self._steps = Steps()
        self._renewed: set[str] = set()
        self._renewed_networks: set[str] = set()
        self._freeing: list[str] = []  # what gives ports and addresses back that a start may need

    def plan(self) -> tuple[Step, ...]:
        self._networks()
        self._volumes()
        if self._options.remove_orphans:
            for orphan in self._present.orphans({*self._project.services, *self._project.disabled}):
                self._discard(orphan)
        for service in in_order(self._services):
            self._containers(service)
        if self._options.start:
            for service in in_order(self._services):
                self._starts(service)
        return self._steps.done()

    def _networks(self) -> None:
        wanted = {key for service in self._services for key in service.networks}
        for key in sorted(wanted):
            network = self._project.networks[key]
            there = self._present.networks.get(network.name)
            if network.external:
                if there is None:
                    raise ComposeError(f"network {network.name} declared as external, but could not be found")
                continue
            if there is not None and there.project not in ("", self._project.name):
                continue
            changed = there is not None and there.config_hash and there.config_hash != resource_hash(network)
            if there is not None and changed:
                self._renewed_networks.add(network.name)
                leaving = [
                    self._steps.add(f"stop {one.name}", act.Stop(one))
                    for one in self._present.containers
                    if network.name in one.networks and one.is_running
                ]
                self._steps.add(f"remove network {network.name}", act.RemoveNetwork(there), leaving)
            if there is None or changed:
                self._steps.add(f"create network {key}", act.CreateNetwork(key), (f"remove network {network.name}",))

    def _volumes(self) -> None:
        for key in sorted(
            {
                mount.source
                for service in self._services
                for mount in service.volumes
                if mount.type == "volume" and mount.source in self._project.volumes
            }
        ):
            volume = self._project.volumes[key]
            if volume.name in self._present.volumes:
                continue
            if volume.external:
                raise ComposeError(f"external volume {volume.name!r} not found")
            self._steps.add(f"create volume {key}", act.CreateVolume(key))

    def _scale(self, service: Service) -> int:
        return self._options.scale.get(service.name, service.replicas)

    def _containers(self, service: Service) -> None:
        """Which containers of *service* stay, are replaced, removed or made."""
        settled = self._settle_replacements(service)
        obsolete = {one.id for one in settled if self._must_recreate(service, one)}
        kept = sorted(settled, key=lambda one: (one.id in obsolete, one.number))
        wanted = self._scale(service)
        if self._options.keep_surplus:
            wanted = max(wanted, len(kept))
        for one in kept[wanted:]:
            self._discard(one)
        kept = sorted(kept[:wanted], key=lambda one: one.number)
        needs = self._needs(service)
        for one in kept:
            if one.id in obsolete:
                self._renewed.add(service.name)
                self._stop_dependants(service.name, one)
                self._steps.add(self._made(service.name, one.number), act.Create(service.name, one.number, one), needs)
                if one.is_running:
                    self._freeing.append(self._made(service.name, one.number))
        following = max((one.number for one in settled), default=0)
        for number in range(following + 1, following + 1 + wanted - len(kept)):
            self._steps.add(self._made(service.name, number), act.Create(service.name, number), needs)

    def _settle_replacements(self, service: Service) -> list[Container]:
        """The containers of *service*, what a replacement that was cut left behind put right."""
        held = self._present.of(service.name)
        numbers = {one.number for one in held if not _is_interim(one)}
        settled = []
        for one in held:
            if not _is_interim(one):
                settled.append(one)
            elif one.number in numbers:
                self._steps.add(f"remove {one.name}", act.Remove(one, force=True))
            else:
                name = self._project.container_name(service, one.number)
                self._steps.add(f"rename {one.name}", act.Rename(one, name))
                settled.append(one)
        return settled

    def _must_recreate(self, service: Service, one: Container) -> bool:
        options = self._options
        chosen = not options.named or service.name in options.named
        policy = options.recreate if chosen else options.recreate_dependencies
        if policy == NEVER:
            return False
        shares_renewed = any(name in self._renewed for _, name in sharing(service))
        image = options.images.get(service.name, "")
        return (
            policy == ALWAYS
            or shares_renewed
            or self._is_changed(service, one)
            or bool(image and one.image_id and image != one.image_id)
            or bool(self._renewed_networks & one.networks.keys())
            or one.state in ("dead", "removing")
            or self._lost_a_network(service, one)
        )

    def _is_changed(self, service: Service, one: Container) -> bool:
        if not is_made_of(service, self._present.first_ids(), one.config_hash):
            return True
        mark = one.labels.get(CONTENTS)
        return mark is not None and not has_contents(service, self._project, mark)

    def _lost_a_network(self, service: Service, one: Container) -> bool:
        """Whether it is not on a network that it should be on, or on a former one of that name."""
        for key in service.networks:
            network = self._project.networks[key]
            there = self._present.networks.get(network.name)
            if there is None or network.name not in one.networks:
                return True
            if one.networks[network.name] not in ("", there.id):
                return True
        return False

    def _stop_dependants(self, name: str, old: Container) -> None:
        """Those that ask for it are stopped before *old* goes, and started again with everything else."""
        for service in self._services:
            dependency = service.depends_on.get(name)
            if dependency is not None and dependency.restart:
                for one in self._present.of(service.name):
                    if one.is_running:
                        key = self._steps.add(f"stop {one.name}", act.Stop(one))
                        self._steps.add(self._made(name, old.number), act.Create(name, old.number, old), (key,))

    def _needs(self, service: Service) -> list[str]:
        """What must be there before a container of *service* can be made."""
        found = [f"create network {key}" for key in service.networks]
        found += [f"create volume {mount.source}" for mount in service.volumes if mount.type == "volume"]
        linked = [link.partition(":")[0] for link in service.links]
        for name in (*(name for _, name in sharing(service)), *linked):
            if name in self._chosen:
                found += self._all_made(self._project.services[name])
        return found

    def _numbers(self, service: Service) -> list[int]:
        """The numbers of the containers that *service* has once the plan is carried out."""
        settled = [one for one in self._present.of(service.name) if f"remove {one.name}" not in self._steps]
        following = max((one.number for one in self._present.of(service.name)), default=0)
        made = [
            number
            for number in range(following + 1, following + 1 + self._scale(service))
            if self._made(service.name, number) in self._steps
        ]
        return sorted({one.number for one in settled}) + made

    def _all_made(self, service: Service) -> list[str]:
        return [self._made(service.name, number) for number in self._numbers(service)]

    def _starts(self, service: Service) -> None:
        held = {one.number: one for one in self._present.of(service.name) if not _is_interim(one)}
        held |= {one.number: one for one in self._present.of(service.name) if one.number not in held}
        for number in self._numbers(service):
            there = held.get(number)
            made = self._made(service.name, number)
            stopped = there is not None and f"stop {there.name}" in self._steps
            if there is not None and there.is_running and made not in self._steps and not stopped:
                continue
            after = [made, *self._freeing, *self._conditions(service)]
            if there is not None:
                after += [f"stop {there.name}", f"rename {there.name}"]
            self._steps.add(
                f"start {service.name} {number}",
                act.Start(service.name, number, there if made not in self._steps else None),
                after,
            )

    def _conditions(self, service: Service) -> list[str]:
        """What must be true of others before a container of *service* starts."""
        found = []
        for name, dependency in service.depends_on.items():
            if name not in self._chosen:
                continue
            started = [f"start {name} {number}" for number in self._numbers(self._project.services[name])]
            if dependency.condition == STARTED:
                found += started
            else:
                found.append(
                    self._steps.add(
                        f"wait {name} {dependency.condition.removeprefix('service_')}",
                        act.Wait(name, dependency.condition, dependency.required),
                        started,
                    )
                )
        return found

    def _discard(self, one: Container) -> None:
        before = [self._steps.add(f"stop {one.name}", act.Stop(one))] if one.is_running else []
        self._steps.add(f"remove {one.name}", act.Remove(one), before)
        self._freeing += before

    @staticmethod
    def _made(service: str, number: int) -> str:
        return f"create {service} {number}"


def in_order(services: list[Service]) -> list[Service]:
    """Dependencies first; else as they were."""
    by_name = {service.name: service for service in services}
    made: dict[str, Service] = {}
    for start in services:
        trail = [start.name]
        while trail:
            name = trail[-1]
            left = [other for other in by_name[name].depends_on if other in by_name and other not in made]
            left = [other for other in left if other not in trail]
            if left:
                trail.append(left[0])
            else:
                made.setdefault(name, by_name[name])
                trail.pop()
    return list(made.values())


def _is_interim(one: Container) -> bool:
    """Whether it still has the name that it was made under while it replaced another one."""
    head, sign, _ = one.name.partition("_")
    return bool(one.replaces and sign) and len(head) == 12 and set(head) <= set("0123456789abcdef")
