"""The sentence of `docker ps` about a container: `Up 3 minutes`, `Exited (0) 2 days ago`; pure."""

from typing import Final

from havre.engine.health import STARTING
from havre.engine.lifecycle import State
from havre.engine.model import Record

_NS: Final = 1_000_000_000


def status_text(record: Record, now_ns: int) -> str:
    """How *record* stands at *now_ns*."""
    match record.state:
        case State.RUNNING:
            return f"Up {duration_text(now_ns - record.started_ns)}{_health(record)}"
        case State.PAUSED:
            return f"Up {duration_text(now_ns - record.started_ns)} (Paused)"
        case State.RESTARTING:
            return f"Restarting ({record.exit_code}) {duration_text(now_ns - record.finished_ns)} ago"
        case State.REMOVING:
            return "Removal In Progress"
        case State.DEAD:
            return "Dead"
        case State.CREATED:
            return "Created"
        case State.EXITED:
            return f"Exited ({record.exit_code}) {duration_text(now_ns - record.finished_ns)} ago"


def _health(record: Record) -> str:
    if record.health is None:
        return ""
    return " (health: starting)" if record.health.status == STARTING else f" ({record.health.status})"


def duration_text(duration_ns: int) -> str:
    """A duration as Docker says it: ever coarser words."""
    seconds = max(duration_ns, 0) // _NS
    minutes = seconds // 60
    hours = (max(duration_ns, 0) + 1800 * _NS) // (3600 * _NS)
    whole_hours = seconds // 3600
    steps = (
        (seconds < 1, "Less than a second"),
        (seconds == 1, "1 second"),
        (seconds < 60, f"{seconds} seconds"),
        (minutes == 1, "About a minute"),
        (minutes < 60, f"{minutes} minutes"),
        (hours == 1, "About an hour"),
        (hours < 48, f"{hours} hours"),
        (hours < 24 * 14, f"{hours // 24} days"),
        (hours < 24 * 60, f"{hours // 24 // 7} weeks"),
        (hours < 24 * 730, f"{hours // 24 // 30} months"),
    )
    return next((text for holds, text in steps if holds), f"{whole_hours // 24 // 365} years")
