"""The steps that a plan is made of."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from havre.compose.present import Container, Shared


class CreateNetwork(Struct, frozen=True):
    """Make the network *key* of the application."""

    key: str


class RemoveNetwork(Struct, frozen=True):
    """Remove a network; containers that are still on it are taken off first."""

    network: Shared


class CreateVolume(Struct, frozen=True):
    """Make the volume *key* of the application."""

    key: str


class RemoveVolume(Struct, frozen=True):
    """Remove a volume."""

    name: str


class RemoveImage(Struct, frozen=True):
    """Remove an image by its name."""

    name: str


class Create(Struct, frozen=True):
    """Make container *number* of *service*; in place of *old* with its anonymous volumes when there is one."""

    service: str
    number: int
    old: Container | None = None


class Rename(Struct, frozen=True):
    """Finish a replacement that was cut: give the new container the name that it was made for."""

    container: Container
    name: str


class Start(Struct, frozen=True):
    """Start container *number* of *service*; *container* is the one that is there already."""

    service: str
    number: int
    container: Container | None = None


class Stop(Struct, frozen=True):
    """Stop a container."""

    container: Container


class Remove(Struct, frozen=True):
    """Remove a container that was stopped (or force it); *volumes* with its anonymous ones."""

    container: Container
    volumes: bool = False
    force: bool = False


class Wait(Struct, frozen=True):
    """Wait until every container of *service* meets *condition*; when not *required*, a failure is only told."""

    service: str
    condition: str
    required: bool = True


SharedAct = CreateNetwork | RemoveNetwork | CreateVolume | RemoveVolume | RemoveImage
ContainerAct = Create | Rename | Start | Stop | Remove | Wait
Act = SharedAct | ContainerAct


class Step(Struct, frozen=True):
    """One act and the keys of those that must have been done before."""

    key: str
    act: Act
    after: frozenset[str] = frozenset()


class Steps:
    """Steps being gathered: of one key there is one."""

    def __init__(self) -> None:
        self._made: dict[str, Step] = {}

    def add(self, key: str, act: Act, after: Iterable[str] = ()) -> str:
        """Take a step (or more reasons for one that is there to wait) and return its key."""
        known = self._made.get(key)
        reasons = frozenset(after) | (known.after if known else frozenset())
        self._made[key] = Step(key, known.act if known else act, reasons - {key})
        return key

    def __contains__(self, key: str) -> bool:
        return key in self._made

    def done(self) -> tuple[Step, ...]:
        """Every step, waiting only for steps that are there."""
        return tuple(
            Step(step.key, step.act, frozenset(key for key in step.after if key in self._made))
            for step in self._made.values()
        )


def shown(steps: Iterable[Step]) -> str:
    """One line a step, for tests and `--dry-run`."""
    return "\n".join(step.key + (f"  after {', '.join(sorted(step.after))}" if step.after else "") for step in steps)
