"""Counters in the Prometheus text format, version 0.0.4."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS_S: Final = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0)
_PREFIX: Final = "havre_registry_"


@dataclass(frozen=True, slots=True)
class Sample:
    """A value that is read when it is asked for; *kind* is `gauge` or `counter`."""

    name: str
    kind: str
    help: str
    value: float


class Metrics:
    """What a registry did since it started; *read* adds what it holds now."""

    def __init__(self, read: Callable[[], Iterable[Sample]]) -> None:
        self._read = read
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._received = 0
        self._sent = 0
        self._actions: Counter[str] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def request(self, method: str, place: str, status: int, seconds: float) -> None:
        """A request ended."""
        self._requests[method, place, str(status)] += 1
        buckets = self._buckets.setdefault(place, [0] * (len(_BUCKETS_S) + 1))
        buckets[bisect_left(_BUCKETS_S, seconds)] += 1
        self._seconds[place] = self._seconds.get(place, 0.0) + seconds

    def bytes_moved(self, received: int, sent: int) -> None:
        """So many bytes of bodies went in and out."""
        self._received += received
        self._sent += sent

    def action(self, name: str) -> None:
        """Something was pushed, pulled, mounted or deleted."""
        self._actions[name] += 1

    def text(self) -> str:
        """The page."""
        lines: list[str] = []
        _family(lines, "requests_total", "counter", "Requests by method, place and status")
        for (method, place, status), count in sorted(self._requests.items()):
            lines.append(_line("requests_total", {"method": method, "place": place, "status": status}, count))
        _family(lines, "request_seconds", "histogram", "Time from a request's headers to the end of its answer")
        for place, buckets in sorted(self._buckets.items()):
            self._histogram(lines, place, buckets)
        _family(lines, "actions_total", "counter", "Pushes, pulls, mounts and deletions of manifests and blobs")
        lines += [_line("actions_total", {"action": name}, count) for name, count in sorted(self._actions.items())]
        own = (
            Sample("received_bytes_total", "counter", "Bytes of request bodies", self._received),
            Sample("sent_bytes_total", "counter", "Bytes of answers", self._sent),
        )
        for sample in (*own, *self._read()):
            _family(lines, sample.name, sample.kind, sample.help)
            lines.append(_line(sample.name, {}, sample.value))
        return "\n".join(lines) + "\n"

    def _histogram(self, lines: list[str], place: str, buckets: list[int]) -> None:
        total = 0
        for bound, count in zip((*map(str, _BUCKETS_S), "+Inf"), buckets, strict=True):
            total += count
            lines.append(_line("request_seconds_bucket", {"place": place, "le": bound}, total))
        lines.append(_line("request_seconds_sum", {"place": place}, self._seconds[place]))
        lines.append(_line("request_seconds_count", {"place": place}, total))


def _family(lines: list[str], name: str, kind: str, text: str) -> None:
    lines.append(f"# HELP {_PREFIX}{name} {text}.")
    lines.append(f"# TYPE {_PREFIX}{name} {kind}")


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    number = int(value) if value == int(value) else value
    return f"{_PREFIX}{name}{f'{{{shown}}}' if shown else ''} {number}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
