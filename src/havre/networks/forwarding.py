"""Whether this host forwards packets: switched on where networks need it, and remembered that it was us."""

import logging
from pathlib import Path

from havre.kernel.procfs import Proc

_FORWARDING = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}
_log = logging.getLogger(__name__)


class Forwarding:
    """Whether this host forwards packets between its links, by version of IP.

    *mark* remembers across restarts of the daemon what we switched on, and like the setting itself not across a boot.
    """

    def __init__(self, proc: Proc, mark: Path, *, wanted: bool, drop: bool = True) -> None:
        self._proc = proc
        self._mark = mark
        self._wanted = wanted
        self._drop = drop

    def enable(self, version: int) -> None:
        """Switch it on, if the settings allow. Raises KernelError."""
        if not self._wanted or self._proc.read(f"sys/{_FORWARDING[version]}").strip() != b"0":
            return
        self._marked(version).touch(mode=0o600)
        self._proc.write_sysctl(_FORWARDING[version], "1")
        _log.info(
            "IPv%d forwarding was off on this host; it is on now%s",
            version,
            ", and what is not of our networks is dropped" if self._drop else "",
        )

    @property
    def strangers_dropped(self) -> frozenset[int]:
        """The versions of which only our networks' packets are forwarded: those that are because of us."""
        if not (self._wanted and self._drop):
            return frozenset()
        return frozenset(version for version in _FORWARDING if self._marked(version).exists())

    def _marked(self, version: int) -> Path:
        return self._mark if version == 4 else self._mark.with_name(f"{self._mark.name}-v6")
