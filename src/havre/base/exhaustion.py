"""The kernel's answers that mean "no more of it": space, quota, handles, memory."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from havre.base.errors import ResourceExhausted

EXHAUSTED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


@contextmanager
def exhaustion(doing: str) -> Iterator[None]:
    """Inside, "no space, quota, handles or memory" is raised as ResourceExhausted, with what was being done."""
    try:
        yield
    except MemoryError as error:
        raise ResourceExhausted(f"{doing}: out of memory") from error
    except OSError as error:
        if error.errno not in EXHAUSTED:
            raise
        raise ResourceExhausted(f"{doing}: {os.strerror(error.errno)}") from error
