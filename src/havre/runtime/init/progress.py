"""Which step a birth is at, in memory shared with the parent: also a child that is killed is told about."""

import mmap
import os
import time

_SIZE = 4096
_NAME_LIMIT = 200
_AT = 8
_FAILED = 70
_KEPT_FROM = 512
_KEPT_LIMIT = 60

STEPS = (
    "namespaces",
    "ids",
    "rootfs",
    "mount",
    "devices",
    "cgroup",
    "console",
    "sysctl",
    "mask",
    "user",
    "hooks",
    "pivot",
    "stdio",
    "rlimits",
    "privileges",
    "fork",
    "exec",
)
"""The steps in their order; some happen only when the spec asks for them, `mount` for each mount."""

LAST = "exec"


class Progress:
    """One page, written by the child and read by the parent.

    *fail_at* makes the child end without a word as it enters that step, or with `:import` behind the step's name
    import a module there: the tests' fail points.
    """

    def __init__(self, fail_at: str = "") -> None:
        self._page = mmap.mmap(-1, _SIZE)
        self._fail_at = fail_at
        self._kept_to = _KEPT_FROM

    def enter(self, step: str, detail: str = "") -> None:
        """The child begins *step*."""
        raw = f"{step} {detail}".encode()[:_NAME_LIMIT]
        page = self._page
        page[_AT : _AT + 1 + len(raw)] = bytes((len(raw),)) + raw
        page[:_AT] = time.monotonic_ns().to_bytes(_AT, "little")
        self._keep(raw[:_KEPT_LIMIT])
        if self._fail_at and step == self._fail_at.partition(":")[0]:
            self._fail()

    def _keep(self, raw: bytes) -> None:
        page, at = self._page, self._kept_to
        end = at + _AT + 1 + len(raw)
        if end < _SIZE:
            page[at:end] = page[:_AT] + bytes((len(raw),)) + raw
            self._kept_to = end

    def history(self) -> "list[tuple[str, int]]":
        """Every step that began, with when, as far as the page is large enough."""
        page, at, found = self._page, _KEPT_FROM, []
        while at + _AT < _SIZE and (length := page[at + _AT]):
            text = page[at + _AT + 1 : at + _AT + 1 + length].decode(errors="replace")
            found.append((text, int.from_bytes(page[at : at + _AT], "little")))
            at += _AT + 1 + length
        return found

    def _fail(self) -> None:
        if self._fail_at.endswith(":import"):
            __import__("havre.what_is_not_there")
        os._exit(_FAILED)

    def read(self) -> tuple[str, str, int]:
        """(step, its detail, when it began in nanoseconds of the monotonic clock)."""
        page = self._page
        raw = page[_AT + 1 : _AT + 1 + page[_AT]]
        step, _, detail = raw.decode(errors="replace").partition(" ")
        return step, detail, int.from_bytes(page[:_AT], "little")

    def close(self) -> None:
        """Give the page back."""
        self._page.close()
