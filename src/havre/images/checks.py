"""What no image config may hold, though its JSON has the right shape; asked before anything is stored."""

import posixpath

from havre.base.errors import InvalidInput, NotSupported
from havre.images.changes import is_signal
from havre.oci.image_config import Healthcheck, ImageConfig, ProcessConfig

_MAX_ENTRIES = 10_000
_MAX_DURATION_NS = 2**63 - 1
_MAX_RETRIES = 2**31 - 1


def check_config(config: ImageConfig) -> None:
    """Raises InvalidInput for impossible settings, NotSupported for an image of another operating system."""
    if config.os and config.os != "linux":
        raise NotSupported(f"cannot load {config.os[:64]} image on linux")
    process = config.process
    _check_texts(process)
    for path in process.volumes or ():
        if not path.strip() or "\0" in path or _is_root(path):
            raise InvalidInput(f"invalid image config: volume {path[:100]!r} is no place for a volume")
    if process.stop_signal and not is_signal(process.stop_signal):
        raise InvalidInput(f"invalid image config: unknown stop signal {process.stop_signal[:64]!r}")
    if process.healthcheck is not None:
        _check_health(process.healthcheck)


def _check_texts(process: ProcessConfig) -> None:
    lists = (process.env, process.cmd, process.entrypoint, process.shell, process.on_build)
    sets = (process.exposed_ports, process.volumes, process.labels)
    if any(len(one) > _MAX_ENTRIES for one in (*lists, *sets) if one):
        raise InvalidInput("invalid image config: too many entries")
    words = [process.user, process.working_dir, *(word for one in lists if one for word in one)]
    if any("\0" in word for word in words):
        raise InvalidInput("invalid image config: a value holds a NUL character")


def _check_health(check: Healthcheck) -> None:
    times = (check.interval, check.timeout, check.start_period, check.start_interval)
    if not all(0 <= time <= _MAX_DURATION_NS for time in times) or not 0 <= check.retries <= _MAX_RETRIES:
        raise InvalidInput("invalid image config: a number of the health check is out of range")


def _is_root(path: str) -> bool:
    return posixpath.normpath(posixpath.join("/", path)).strip("/") == ""
