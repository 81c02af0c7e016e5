"""A part of the disk is kept back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from havre.base.errors import ResourceExhausted
from havre.content.space import Reserve


def test_the_reserve_is_kept(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        Reserve(handle, "testing").spend(1000)
        state = os.fstatvfs(handle)
        with pytest.raises(ResourceExhausted):
            Reserve(handle, "testing").spend(state.f_bavail * state.f_frsize - 1000)
    finally:
        os.close(handle)
