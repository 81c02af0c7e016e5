"""What may follow what in the life of a container: one table, which is also the documentation."""

from enum import StrEnum
from typing import Final

from havre.base.errors import Conflict


class State(StrEnum):
    """How a container stands; the values are the Engine API's words."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


class Verb(StrEnum):
    """What happens to a container. EXIT is told by its shim; RETRY waits for a restart policy's next start."""

    START = "start"
    EXIT = "exit"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    RETRY = "retry"
    GIVE_UP = "give up"
    REMOVE = "remove"
    FAIL_REMOVE = "fail to remove"


ALIVE: Final = frozenset({State.RUNNING, State.PAUSED})
"""The states in which a process of the container exists."""

TRANSITIONS: Final = {
    (State.CREATED, Verb.START): State.RUNNING,
    (State.EXITED, Verb.START): State.RUNNING,
    (State.RESTARTING, Verb.START): State.RUNNING,
    (State.RUNNING, Verb.EXIT): State.EXITED,
    (State.PAUSED, Verb.EXIT): State.EXITED,
    (State.RUNNING, Verb.PAUSE): State.PAUSED,
    (State.PAUSED, Verb.UNPAUSE): State.RUNNING,
    (State.EXITED, Verb.RETRY): State.RESTARTING,
    (State.RESTARTING, Verb.GIVE_UP): State.EXITED,
    (State.CREATED, Verb.REMOVE): State.REMOVING,
    (State.EXITED, Verb.REMOVE): State.REMOVING,
    (State.DEAD, Verb.REMOVE): State.REMOVING,
    (State.REMOVING, Verb.FAIL_REMOVE): State.DEAD,
}


def after(state: State, verb: Verb) -> State:
    """The state that *verb* leads to. Raises Conflict where the table has no such step."""
    try:
        return TRANSITIONS[state, verb]
    except KeyError:
        raise Conflict(f"cannot {verb} a container that is {state}") from None


def may(state: State, verb: Verb) -> bool:
    """Whether the table has the step."""
    return (state, verb) in TRANSITIONS
