"""Signals as people write them: `TERM`, `SIGTERM`, `15`, `RTMIN+3`."""

import signal
from typing import Final

from havre.base.errors import InvalidInput
from havre.base.numbers import parse_int

_RTMIN: Final = 34  # what the C libraries leave of the kernel's 32 and up: signal(7)
_RTMAX: Final = 64
DEFAULT_STOP: Final = signal.SIGTERM
KILL: Final = signal.SIGKILL


def _named() -> dict[str, int]:
    known = {entry.name.removeprefix("SIG"): int(entry) for entry in signal.Signals}
    known |= {"CLD": signal.SIGCHLD, "POLL": signal.SIGIO, "IOT": signal.SIGABRT, "STKFLT": 16, "UNUSED": 31}
    known |= {f"RTMIN+{step}": _RTMIN + step for step in range(1, 16)}
    known |= {f"RTMAX-{step}": _RTMAX - step for step in range(1, 15)}
    return known | {"RTMIN": _RTMIN, "RTMAX": _RTMAX}


_NUMBERS: Final = _named()


def parse_signal(given: str) -> int:
    """The signal's number. Raises InvalidInput for what names none."""
    if given.isascii() and given.isdigit():
        number = parse_int(given, what="signal", high=2**31 - 1)
        if number > 0:
            return number
    elif (known := _NUMBERS.get(given.upper().removeprefix("SIG"))) is not None:
        return known
    raise InvalidInput(f"Invalid signal: {given[:64]}")


def is_deliverable(number: int) -> bool:
    """Whether Linux has a signal of this number."""
    return 0 < number <= _RTMAX
