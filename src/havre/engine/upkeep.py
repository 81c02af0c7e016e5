"""What is done for images after the start, while the first requests are served."""

import logging
import time
from pathlib import Path

from havre.images.checking import Checks
from havre.images.images import Images

_MARK = "running"
_log = logging.getLogger(__name__)


class RunningMark:
    """A file that is there while the daemon runs: found at a start, it tells that the life before was cut off."""

    def __init__(self, data_root: Path) -> None:
        self._file = data_root / _MARK
        self.cut_off_s: float | None = None
        """When the life began that did not end in order (wall clock); None when it did."""

    def begin(self) -> None:
        """A life begins."""
        if self._file.exists():
            self.cut_off_s = self._file.stat().st_mtime
        self._file.write_text(str(time.time()))

    def end(self) -> None:
        """It ends in order."""
        self._file.unlink(missing_ok=True)


async def tidy(images: Images, mark: RunningMark) -> None:
    """Take back the space that a dead process left taken; after a crash, verify the layers that were new (and mend)."""
    await images.sweep()
    if mark.cut_off_s is None:
        return
    async for problem in Checks(images.store, lambda _: True).layers_since(mark.cut_off_s):
        state = "made again" if problem.mended else "damaged"
        _log.warning(
            "%s %s, new when the daemon was cut off, is %s: %s", problem.kind, problem.name, state, problem.what
        )
