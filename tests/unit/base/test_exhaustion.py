"""Being out of something is an ordinary answer."""

from __future__ import annotations

import errno
import os

import pytest

from havre.base.errors import ResourceExhausted
from havre.base.exhaustion import exhaustion


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENOMEM])
def test_exhaustion_has_its_own_meaning(number: int) -> None:
    with pytest.raises(ResourceExhausted, match=r"testing: "), exhaustion("testing"):
        raise OSError(number, os.strerror(number))


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(PermissionError), exhaustion("testing"):
        raise PermissionError(errno.EACCES, "no")
