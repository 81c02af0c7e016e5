"""Progress of a plan on standard error: lines that move on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import threading
import time

from msgspec import Struct, field

from havre.cli.screen import STDERR, Screen, write_all
from havre.cli.tables import clean
from havre.client.errors import ClientError

_GREEN, _RED, _YELLOW, _BLUE, _END = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[34m", "\x1b[0m"
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_STEP_S = 0.1


class Plain:
    """One line each time something begins or ends; *silent* tells warnings and failures only."""

    def __init__(self, *, silent: bool = False, as_json: bool = False, prefix: str = "") -> None:
        self._silent, self._json, self._prefix = silent, as_json, prefix
        self._lock = threading.Lock()

    def begin(self, subject: str, doing: str) -> None:
        """A line."""
        if not self._silent:
            self._tell(subject, doing)

    def done(self, subject: str, what: str) -> None:
        """A line."""
        if not self._silent:
            self._tell(subject, what)

    def failed(self, subject: str, reason: str) -> None:
        """A line."""
        self._tell(subject, f"Error {reason}")

    def note(self, text: str) -> None:
        """A warning."""
        self._write(json.dumps({"level": "warning", "message": text}) if self._json else f"WARNING: {clean(text)}")

    def output(self, subject: str, line: dict[str, object]) -> None:
        """What a build says; of a pull only its statuses."""
        if self._silent:
            return
        if "stream" in line:
            text = str(line["stream"]).rstrip("\n")
            if text:
                self._write(text)
        elif line.get("status") and not line.get("progressDetail"):
            identifier = str(line.get("id") or "")
            self._tell(f"{subject} {identifier}".rstrip(), str(line["status"]))

    def close(self) -> None:
        """Nothing is left to tell."""

    def _tell(self, subject: str, status: str) -> None:
        if self._json:
            self._write(json.dumps({"id": subject, "status": status}))
        else:
            self._write(f" {self._prefix}{clean(subject)}  {clean(status)}")

    def _write(self, text: str) -> None:
        with self._lock:
            write_all(STDERR, text.encode(errors="replace") + b"\n")


class _Row(Struct):
    status: str
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    broken: bool = False


class Terminal:
    """A block of lines, one a subject, that is written over while it changes."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours
        self._rows: dict[str, _Row] = {}
        self._drawn = 0
        self._lock = threading.RLock()
        self._ticking: threading.Thread | None = None
        self._closed = threading.Event()

    def begin(self, subject: str, doing: str) -> None:
        """Show it as under way."""
        self._set(subject, doing, ended=False)

    def done(self, subject: str, what: str) -> None:
        """Show it as done."""
        self._set(subject, what, ended=True)

    def failed(self, subject: str, reason: str) -> None:
        """Show it as failed."""
        with self._lock:
            self._set(subject, f"Error {reason}", ended=True)
            self._rows[subject].broken = True

    def note(self, text: str) -> None:
        """A line above the block."""
        with self._lock:
            self._above(f"{self._paint(_YELLOW, 'WARN')} {clean(text)}")

    def output(self, subject: str, line: dict[str, object]) -> None:
        """What a build says stands above the block; a pull tells its step in the row."""
        if "stream" in line:
            text = str(line["stream"]).rstrip("\n")
            if text:
                with self._lock:
                    self._above(text)
        elif line.get("status"):
            detail = f"{line.get('id') or ''} {line['status']} {line.get('progress') or ''}".strip()
            self._set(subject, f"Pulling {detail}", ended=False)

    def close(self) -> None:
        """Draw the last state and leave it."""
        self._closed.set()
        with self._lock:
            self._draw()
            self._rows.clear()
            self._drawn = 0
        self._ticking = None
        self._closed = threading.Event()

    def _set(self, subject: str, status: str, *, ended: bool) -> None:
        with self._lock:
            row = self._rows.setdefault(subject, _Row(status))
            if row.ended and not ended:
                row.began = time.monotonic()
            row.status, row.ended = status, time.monotonic() if ended else 0.0
            self._draw()
            if self._ticking is None:
                self._ticking = threading.Thread(target=self._tick, args=(self._closed,), daemon=True)
                self._ticking.start()

    def _tick(self, closed: threading.Event) -> None:
        while not closed.wait(_STEP_S):
            with self._lock:
                if not closed.is_set():
                    self._draw()

    def _above(self, text: str) -> None:
        self._erase()
        write_all(STDERR, text.encode(errors="replace") + b"\n")
        self._draw()

    def _erase(self) -> None:
        if self._drawn:
            write_all(STDERR, f"\x1b[{self._drawn}A\x1b[J".encode())
            self._drawn = 0

    def _draw(self) -> None:
        if not self._rows:
            return
        rows, columns = _size()
        shown = list(self._rows.items())[-max(1, rows - 2) :]
        ended = sum(1 for row in self._rows.values() if row.ended)
        lines = [f"[+] Running {ended}/{len(self._rows)}"]
        width = max(len(subject) for subject, _ in shown)
        lines += [self._line(subject, row, width, columns) for subject, row in shown]
        start = f"\x1b[{self._drawn}A" if self._drawn else ""
        text = start + "".join(f"\r\x1b[2K{line}\n" for line in lines) + "\x1b[J"
        self._drawn = len(lines)
        write_all(STDERR, text.encode(errors="replace"))

    def _line(self, subject: str, row: _Row, width: int, columns: int) -> str:
        now = row.ended or time.monotonic()
        sign = "✘" if row.broken else "✔" if row.ended else _SPINNER[int(now / _STEP_S) % len(_SPINNER)]
        took = f"{now - row.began:.1f}s"
        room = max(8, columns - width - len(took) - 8)
        status = clean(row.status)
        status = status if len(status) <= room else status[: room - 1] + "…"
        colour = _RED if row.broken else _GREEN if row.ended else _BLUE
        return (
            f" {self._paint(colour, sign)} {clean(subject):<{width}}  {self._paint(colour, f'{status:<{room}}')} {took}"
        )

    def _paint(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_END}" if self._colours else text


def progress_for(mode: str, screen: Screen, *, colours: bool, dry: bool) -> Plain | Terminal:
    """The progress of `--progress` *mode*. Raises ClientError for an unknown one."""
    match mode:
        case "tty":
            return Terminal(colours=colours)
        case "auto" if screen.is_terminal(STDERR) and colours and not dry:
            return Terminal(colours=colours)
        case "auto" | "plain" | "rawjson":
            return Plain(prefix="DRY-RUN MODE -  " if dry else "")
        case "json":
            return Plain(as_json=True)
        case "quiet":
            return Plain(silent=True)
        case _:
            raise ClientError(f'unsupported --progress value "{mode}"')


def _size() -> tuple[int, int]:
    import os

    try:
        size = os.get_terminal_size(STDERR)
    except OSError:
        return 24, 80
    return size.lines or 24, size.columns or 80
