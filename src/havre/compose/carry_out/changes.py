"""What the engine tells of some containers while their health or end is waited for."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Self

from havre.client.client import Client
from havre.client.errors import ClientError
from havre.compose.carry_out.run import Cancel


class Changes:
    """Counts the events of *containers* that may decide a waiting, and wakes whoever pauses on *cancel* at each.

    Without events (the engine hangs up, or does not answer) nothing is counted: who waits still asks from time to time.
    """

    def __init__(self, client: Client, containers: Sequence[str], cancel: Cancel) -> None:
        self.count = 0
        self._client, self._cancel = client.another(), cancel
        events = ["health_status", "start", "die", "destroy"]
        self._filters = json.dumps({"type": ["container"], "container": list(containers), "event": events})
        self._over = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._read, name="changes", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._client.hang_up()

    def is_beyond(self, seen: int) -> bool:
        """Whether something happened since *count* was *seen*."""
        return self.count > seen

    def _read(self) -> None:
        try:
            answer = self._client.send("GET", "/events", {"filters": self._filters})
            for _ in () if self._over else answer.lines():
                self.count += 1
                self._cancel.wake()
        except ClientError:
            pass
        finally:
            self._client.close()
