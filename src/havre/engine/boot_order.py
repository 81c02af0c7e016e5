"""Who waits for whom when containers come up with the engine, by what Compose wrote on their labels. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from havre.engine.model import Record

STARTED, HEALTHY, COMPLETED = "service_started", "service_healthy", "service_completed_successfully"
_PREFIX: Final = "com.docker.compose."
_CONDITIONS: Final = frozenset((STARTED, HEALTHY, COMPLETED))


class Need(NamedTuple):
    """A container, by id, and how it is to be."""

    container: str
    condition: str


class Order(NamedTuple):
    """What each container needs, by its id; *dropped* are the needs that stood in a circle, each with whose it was."""

    needs: Mapping[str, tuple[Need, ...]]
    dropped: tuple[tuple[str, Need], ...]


def order_of(starting: Iterable[Record], everyone: Iterable[Record]) -> Order:
    """What each of *starting* needs of the containers of its project, as far as these are among *everyone*.

    A need of what will not start is kept: its condition may hold already. Needs never make a circle.
    """
    members: dict[tuple[str, str], list[str]] = {}
    for record in everyone:
        labels = record.config.labels
        if labels.get(f"{_PREFIX}oneoff", "").lower() != "true":
            members.setdefault((labels.get(f"{_PREFIX}project", ""), _service(record)), []).append(record.id)
    wishes = {record.id: _wishes(record, members) for record in starting}
    return _without_circles(wishes)


def _wishes(record: Record, members: Mapping[tuple[str, str], list[str]]) -> list[Need]:
    labels = record.config.labels
    project, found = labels.get(f"{_PREFIX}project", ""), list[Need]()
    if not project:
        return found
    for entry in labels.get(f"{_PREFIX}depends_on", "").split(","):
        service, _, rest = entry.partition(":")
        condition = rest.partition(":")[0]
        known = condition if condition in _CONDITIONS else STARTED
        found += [Need(one, known) for one in members.get((project, service), ()) if service and one != record.id]
    return found


def _service(record: Record) -> str:
    return record.config.labels.get(f"{_PREFIX}service", "")


def _without_circles(wishes: Mapping[str, list[Need]]) -> Order:
    """Depth first, without recursion: a need of somebody who is still being looked at closes a circle."""
    needs: dict[str, tuple[Need, ...]] = {}
    dropped: list[tuple[str, Need]] = []
    for first in wishes:
        path: dict[str, list[Need]] = {} if first in needs else {first: []}
        while path:
            current, kept = next(reversed(path.items()))
            todo = wishes[current][len(kept) + sum(owner == current for owner, _ in dropped) :]
            if not todo:
                needs[current] = tuple(kept)
                del path[current]
            elif todo[0].container in path:
                dropped.append((current, todo[0]))
            else:
                kept.append(todo[0])
                if todo[0].container in wishes and todo[0].container not in needs:
                    path[todo[0].container] = []
    return Order(needs, tuple(dropped))
