"""How a build goes, for people: steps that move on a terminal, lines elsewhere; each step with its time."""

from __future__ import annotations

import time

from havre.cli.screen import STDERR, write_all
from havre.cli.terminal import terminal_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from havre.wire.build import BuildStep

_TAIL_LINES = 6
_TICK_S = 0.1
_KEPT_LINES = 200


class Row:
    """One step as it is shown."""

    __slots__ = ("began", "cached", "ended", "failed", "lines", "number", "partial", "title")

    def __init__(self, number: int, title: str, began: float) -> None:
        self.number, self.title, self.began = number, title, began
        self.ended = 0.0
        self.cached = self.failed = False
        self.lines: list[str] = []
        self.partial = ""

    def seconds(self, now: float) -> float:
        """How long it took, or has taken so far."""
        return (self.ended or now) - self.began

    def take(self, text: str, now: float) -> list[str]:
        """Add output; the lines that are whole now, each with its time."""
        *whole, self.partial = (self.partial + text).split("\n")
        made = [f"{now - self.began:.3f} {line.rstrip(chr(13))}" for line in whole]
        self.lines = [*self.lines, *made][-_KEPT_LINES:]
        return made


class Progress:
    """Takes events in; subclasses show them. *failed* is the step that broke, *warnings* what build checks found."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.failed: Row | None = None
        self.line = 0
        self.warnings: list[str] = []

    def take(self, told: Mapping[str, object]) -> None:
        """One event, as the daemon promises to tell it."""
        event: BuildStep = told  # type: ignore[assignment]
        now = time.monotonic()
        number = event.get("Step") or 0
        match event.get("Event"):
            case "started":
                row = self.rows[number] = Row(number, _title(event), now)
                self.began(row)
            case "output":
                row = self.rows[number]
                self.said(row, row.take(event.get("Data") or "", now))
            case "done" | "failed" as how:
                row = self.rows[number]
                row.ended, row.cached = now, event.get("Cached") or False
                rest = row.take("\n", now) if row.partial else []
                if how == "failed":
                    row.failed, self.failed, self.line = True, row, event.get("Line") or 0
                self.said(row, rest)
                self.over(row, event.get("Message") or "")
            case "noticed":
                self.notice(event)
            case "tagged":
                self.tell(f"naming to {event.get('Text', '')} done")
            case _:
                return

    def pulling(self, line: dict[str, object]) -> None:
        """A line of progress of an image that is pulled."""
        if "progressDetail" not in line:
            prefix = f"{line['id']}: " if line.get("id") else ""
            self.tell(f"{prefix}{line.get('status', '')}")

    def notice(self, event: BuildStep) -> None:
        """A build check found something."""
        check, line = event.get("Check") or "", event.get("Line") or 0
        if check:
            self.warnings.append(f"{check}: {event.get('Message', '')}" + (f" (line {line})" if line else ""))
        else:
            self.tell(event.get("Message") or "")

    def began(self, row: Row) -> None:
        """A step begins."""

    def said(self, row: Row, lines: list[str]) -> None:
        """A step said *lines*."""

    def over(self, row: Row, message: str) -> None:
        """A step is over; *message* tells why it failed."""

    def tell(self, text: str) -> None:
        """Something that is no step."""

    def close(self) -> None:
        """The build is over."""


class Plain(Progress):
    """Lines, each with the number of its step; those of a parallel step are told apart by it."""

    def __init__(self) -> None:
        super().__init__()
        self._last = 0

    def began(self, row: Row) -> None:
        """See `Progress`."""
        self._write(row, row.title)

    def said(self, row: Row, lines: list[str]) -> None:
        """See `Progress`."""
        for line in lines:
            self._write(row, line)

    def over(self, row: Row, message: str) -> None:
        """See `Progress`."""
        if row.failed:
            self._write(row, f"ERROR: {message}")
        else:
            self._write(row, "CACHED" if row.cached else f"DONE {row.seconds(0):.1f}s")

    def tell(self, text: str) -> None:
        """See `Progress`."""
        self._last = 0
        write_all(STDERR, f"{text}\n".encode(errors="surrogateescape"))

    def _write(self, row: Row, text: str) -> None:
        gap = "\n" if self._last not in (0, row.number) else ""
        again = f"#{row.number} {row.title}\n" if gap and text != row.title else ""
        self._last = row.number
        write_all(STDERR, f"{gap}{again}#{row.number} {text}\n".encode(errors="surrogateescape"))


class Moving(Progress):
    """All steps at once on a terminal, with the last words of those that run; drawn anew ten times a second."""

    def __init__(self) -> None:
        import threading

        super().__init__()
        self._began = time.monotonic()
        self._drawn = 0
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._clock = threading.Thread(target=self._tick, name="progress", daemon=True)
        self._clock.start()

    def take(self, told: Mapping[str, object]) -> None:
        """See `Progress`."""
        with self._lock:
            super().take(told)

    def tell(self, text: str) -> None:
        """See `Progress`."""
        with self._lock:
            self._erase()
            write_all(STDERR, f"{text}\n".encode(errors="surrogateescape"))
            self._draw()

    def close(self) -> None:
        """See `Progress`."""
        self._over.set()
        self._clock.join()
        with self._lock:
            self._erase()
            self._draw()

    def _tick(self) -> None:
        while not self._over.wait(_TICK_S):
            with self._lock:
                self._erase()
                self._draw()

    def _erase(self) -> None:
        if self._drawn:
            write_all(STDERR, f"\x1b[{self._drawn}A\r\x1b[J".encode())
            self._drawn = 0

    def _draw(self) -> None:
        now = time.monotonic()
        height, width = terminal_size(STDERR)
        height, width = height or 24, width or 80
        lines = self._lines(now, width)[-max(height - 1, 1) :]
        write_all(STDERR, "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))
        self._drawn = len(lines)

    def _lines(self, now: float, width: int) -> list[str]:
        done = sum(1 for row in self.rows.values() if row.ended)
        state = "FINISHED" if self._over.is_set() and self.failed is None else ""
        lines = [f"[+] Building {now - self._began:.1f}s ({done}/{len(self.rows)}) {state}".rstrip()]
        for row in sorted(self.rows.values(), key=lambda row: row.number):
            mark = "ERROR " if row.failed else "CACHED " if row.cached else ""
            lines.append(_fitted(f" => {mark}{row.title}", f"{row.seconds(now):.1f}s", width))
            if not row.ended:
                lines += [_fitted(f" => => # {line}", "", width) for line in row.lines[-_TAIL_LINES:]]
        return lines


class Silent(Progress):
    """Nothing (`--progress=quiet`, `-q`)."""


def _title(event: BuildStep) -> str:
    name = event.get("StageName") or (f"stage-{event.get('Stage', 0)}" if event.get("Stage") else "")
    place = f"{event.get('Position', 0)}/{event.get('StageSteps', 0)}"
    return f"[{name} {place}] {event.get('Text', '')}" if name else f"[{place}] {event.get('Text', '')}"


def _fitted(left: str, right: str, width: int) -> str:
    """*left* cut to the width of the screen, *right* at its end; nothing in it moves the cursor."""
    clean = "".join(sign if sign.isprintable() else " " for sign in left)
    room = max(width - len(right) - 2, 1)
    return f"{clean[:room]:<{room}} {right}" if right else clean[: width - 1]
