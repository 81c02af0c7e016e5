"""What happens to a container whose probes found it unhealthy: nothing, unless its label asks for more."""

from typing import Final

from havre.base.errors import HavreError, InvalidInput
from havre.engine.model import Record
from havre.engine.parts import Parts
from havre.engine.roster import Container
from havre.engine.settings import Config, HostConfig
from havre.engine.signals import KILL
from havre.engine.stop import DEFAULT_TIMEOUT_S, end_by_engine, stop

LABEL: Final = "havre.health-on-failure"
NONE, RESTART, STOP, KILLED = "none", "restart", "stop", "kill"
_ACTIONS: Final = (NONE, RESTART, STOP, KILLED)


def check_health_action(config: Config, host: HostConfig) -> None:
    """Raises InvalidInput for an action that cannot be."""
    action = config.labels.get(LABEL, NONE)
    if action not in _ACTIONS:
        raise InvalidInput(f"invalid label {LABEL}: {action[:64]!r} is none of {', '.join(_ACTIONS)}")
    if action == RESTART and host.auto_remove:
        raise InvalidInput("a container that removes itself cannot be started again when it is unhealthy")


def action_of(record: Record) -> str:
    """What is to be done once the container is unhealthy."""
    return record.config.labels.get(LABEL, NONE)


async def act_on_failure(parts: Parts, container: Container) -> None:
    """Do it. A restart waits as a restart policy's does; `kill` leaves what follows to that policy."""
    action = action_of(container.record)
    if action == NONE or not container.record.alive:
        return
    parts.tell(container, f"health_action: {action}")
    patience = container.record.config.stop_timeout
    if action == STOP:
        await stop(parts, container, None, None)
    elif action == KILLED:
        await end_by_engine(parts, container, KILL, 0)
    else:
        container.again = True
        try:
            await end_by_engine(parts, container, None, DEFAULT_TIMEOUT_S if patience is None else patience)
        except HavreError:
            container.again = False
            raise
