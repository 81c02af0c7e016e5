"""A full disk is an ordinary answer."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from havre.base.errors import ResourceExhausted
from havre.content.space import Reserve, exhaustion


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENOMEM])
def test_exhaustion_has_its_own_meaning(number: int) -> None:
    with pytest.raises(ResourceExhausted, match=r"testing: "), exhaustion("testing"):
        raise OSError(number, os.strerror(number))


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(PermissionError), exhaustion("testing"):
        raise PermissionError(errno.EACCES, "no")


def test_the_reserve_is_kept(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        Reserve(handle, "testing").spend(1000)
        state = os.fstatvfs(handle)
        with pytest.raises(ResourceExhausted):
            Reserve(handle, "testing").spend(state.f_bavail * state.f_frsize - 1000)
    finally:
        os.close(handle)
