"""The log of a container's output, by its driver; a driver is loaded in the process that needs it."""

import errno
import os

from havre.kernel.libc import KernelError
from havre.logs.json_file import JSONFileWriter
from havre.logs.rotating import Limits
from havre.logs.sink import Remote, Writer
from havre.runtime.bundle import LogTarget


def open_log(target: LogTarget) -> Writer | None:
    """The writer of *target*; None keeps nothing. Raises KernelError."""
    limits = Limits(target.max_size_bytes, target.max_files, target.compress, target.max_age_s, target.min_free_bytes)
    if target.driver == "none":
        return None
    if target.driver == "json-file":
        return JSONFileWriter(target.path, limits, target.attrs)
    if target.driver == "local":
        return _local(target.path, limits)
    return _remote(target, _local(target.path, limits) if target.path else None)


def tell_loss(container: str, log: Writer) -> None:
    """Say on our standard error, which is havred's, what the log lacks."""
    if log.lost_lines:
        words = (
            f"havre-shim: {container[:12]}: {log.lost_lines} lines ({log.lost_bytes} bytes) of output were not logged"
        )
        os.write(2, f"{words}\n".encode())


def _local(path: str, limits: Limits) -> Writer:
    from havre.logs.local import LocalWriter

    return LocalWriter(path, limits)


def _remote(target: LogTarget, cache: Writer | None) -> Writer:
    from havre.logs.cached import CachedWriter

    try:
        if target.driver == "syslog":
            from havre.logs.syslog import SyslogWriter

            return CachedWriter(SyslogWriter(target.options, target.tag, target.max_buffer_bytes), cache)
        return CachedWriter(_journal(target), cache)
    except BaseException:
        if cache is not None:
            cache.close()
        raise


def _journal(target: LogTarget) -> Remote:
    from havre.logs.journald import SOCKET, JournaldWriter

    place = target.options.get("socket", SOCKET)
    if not os.path.exists(place):  # noqa: PTH110  no pathlib in the shim
        raise KernelError.of(errno.ENOENT, f"journald is not enabled on this host: {place}")
    return JournaldWriter(target.attrs, place, target.max_buffer_bytes)
