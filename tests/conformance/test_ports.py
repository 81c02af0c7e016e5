"""Published ports through the docker CLI, beside the reference."""

from __future__ import annotations

import pytest

from tests.support.engines import Engine

pytestmark = pytest.mark.root
_SERVE = ("sleep", "300")


def test_a_taken_port_is_refused(either: Engine) -> None:
    first = either.out("run", "-d", "-p", "8190:80", "busybox", *_SERVE)
    try:
        refused = either.docker("run", "--name", "second", "-p", "8190:80", "busybox", "true")
        assert refused.returncode == 125
        assert b"driver failed programming external connectivity on endpoint second" in refused.stderr
        assert b"Bind for 0.0.0.0:8190 failed: port is already allocated" in refused.stderr
        assert either.out("inspect", "-f", "{{.State.Status}}", "second") == "created"
    finally:
        either.docker("rm", "-f", first, "second", check=True)
