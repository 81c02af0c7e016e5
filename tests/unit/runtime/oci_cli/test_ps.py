"""ps(1)'s table, cut to a container."""

from __future__ import annotations

import pytest

from havre.base.errors import InvalidInput
from havre.runtime.oci_cli.ps import _shown

TABLE = "UID   PID  PPID CMD\nroot    7     1 sleep 12\nroot   12     7 sh\n"


def test_lines_by_their_pid() -> None:
    assert _shown(TABLE, [12]).splitlines() == ["UID   PID  PPID CMD", "root   12     7 sh"]
    assert _shown(TABLE, []) == "UID   PID  PPID CMD"


def test_without_a_pid_column_nothing_can_be_told() -> None:
    with pytest.raises(InvalidInput, match="PID field"):
        _shown("USER CMD\n", [1])
