"""`run --explain`: where the time of a start goes, as a table or as JSON."""

from __future__ import annotations

import time

from havre.cli.screen import Screen
from havre.client.client import Client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from havre.wire.containers import BirthStep

_MS = 1_000_000


class Explanation:
    """Measures what this command waits for, and takes from the daemon what happens there meanwhile."""

    def __init__(self) -> None:
        self._last_ns = time.monotonic_ns()
        self._phases: list[tuple[str, int]] = []
        self._steps: list[BirthStep] = []

    def phase(self, name: str) -> None:
        """What was done since the last call."""
        now_ns = time.monotonic_ns()
        self._phases.append((name, now_ns - self._last_ns))
        self._last_ns = now_ns

    def start(self, client: Client, container: str) -> None:
        """Start *container*, and keep what the daemon tells of it."""
        answer = client.post(f"/containers/{container}/start", dict, {"explain": 1})
        self._steps = answer.get("Steps") or []
        self.phase("start")

    def show(self, screen: Screen, *, as_json: bool) -> None:
        """On standard error: standard output is the container's."""
        if as_json:
            import json

            phases = [{"Phase": name, "Duration": duration} for name, duration in self._phases]
            screen.error(json.dumps({"Phases": phases, "Steps": self._steps}))
            return
        lines = ["", f"{'PHASE':34} {'MS':>8}"]
        lines += [f"{name:34} {duration / _MS:8.2f}" for name, duration in self._phases]
        lines += ["", f"{'STEP OF THE START':34} {'AT MS':>8} {'MS':>8}"]
        lines += [
            f"{str(step['Step'])[:34]:34} {(step['Start'] or 0) / _MS:8.2f} {(step['Duration'] or 0) / _MS:8.2f}"
            for step in self._steps
        ]
        screen.error("\n".join(lines))
